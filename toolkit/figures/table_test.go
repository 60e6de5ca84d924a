package figures_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/figures"
)

func TestTableAsLaTeX(t *testing.T) {
	table := figures.Table{Title: "Errors at p_L = 0.5", Provenance: figures.Recorded("Mean ± deviation; 5 % & more: a_b, p_ℓ."),
		Columns: []string{"", "Error (%)"}, Rows: []figures.TableRow{
			{Cells: []string{"[1] C#", "−1.2 ± 0.3"}},
			{Cells: []string{"p_L", "–"}, Rule: true, Bold: true},
			{Cells: []string{"", "3 × 2"}, BoldCells: []int{1}},
		}}
	require.Equal(t, strings.TrimLeft(`
% In the preamble: \usepackage{booktabs}
\begin{table}
\centering
\caption{Errors at $p_L$ = 0.5 (our runs). Mean $\pm$ deviation; 5 \% \& more: a\_b, $p_\ell$.}
\begin{tabular}{ll}
\toprule
 & Error (\%) \\
\midrule
{}[1] C\# & $-$1.2 $\pm$ 0.3 \\
\addlinespace
\textbf{$p_L$} & \textbf{--} \\
 & \textbf{3 $\times$ 2} \\
\bottomrule
\end{tabular}
\end{table}
`, "\n"), table.LaTeX(figures.Style{}))
	bare := table.LaTeX(figures.Style{NoTitle: true, NoCaption: true})
	require.NotContains(t, bare, "caption")
	require.NotContains(t, bare, "{table}")
	require.Equal(t, ",Error (%)\n[1] C#,−1.2 ± 0.3\np_L,–\n,3 × 2\n", string(table.CSV()))
}
