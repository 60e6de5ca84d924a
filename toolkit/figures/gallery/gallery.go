package gallery

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"stochdepth/toolkit/dataset"
	"stochdepth/toolkit/depth"
	"stochdepth/toolkit/figures"
	"stochdepth/toolkit/internal/files"
	"stochdepth/toolkit/runs"
)

// Entry is one figure or table.
type Entry struct {
	Name    string // of the figure and of its file: "fig3"; "paper/fig3" shows the paper's own numbers
	Heading string // what it belongs to: "Fig. 3", "Beyond the paper"
	Shows   string // in a sentence or two
	inputs  inputs
	settings
	draw func(d *drawing) (*figures.Figure, error)
}

// inputs is what an entry is drawn from.
type inputs int

const (
	nothing inputs = iota // but a rule and a seed
	paper
	ofRuns
	ofBench
)

// settings are those of the paper for the same figure: if the runs are smaller, the figure says so.
type settings struct {
	paperSays string // "110 layers, 500 epochs"
	depths    []int
	epochs    int
}

// drawing is what an entry's function is given.
type drawing struct {
	*Sources
	network    Network
	list       []*runs.Run
	bench      string
	provenance figures.Provenance // of the runs
	note       string             // about these records
	markdown   string             // set by the entry's function, if it draws a table
}

// Drawing is a drawn entry.
type Drawing struct {
	Entry
	Figure   *figures.Figure
	Markdown string   // of a table
	Used     []string // runs, or the record of measurements
	Named    []string // as figures.json names them, with asterisks
	LeftOut  string   // a sentence on the runs that asterisks name and that are not finished, or ""
}

// Network is what the schematic figures (fig1, fig2, stochastic-depth, and rules) show; zero values leave each its own.
type Network struct {
	Blocks    int     // L
	Rule      string  // one of depth.Rules but list; rules draws all of these
	DeathRate float64 // 1 - p_L
	Seed      int64   // of the drawn minibatch
}

// withDefaults fills in the zero values.
func (n Network) withDefaults(blocks int) Network {
	return Network{cmp.Or(n.Blocks, blocks), cmp.Or(n.Rule, "linear"), cmp.Or(n.DeathRate, 0.5), cmp.Or(n.Seed, 1)}
}

// groups are those of the paper's networks: three, with equally many blocks.
func (n Network) groups() ([]int, error) {
	if n.Blocks%depth.Groups != 0 {
		return nil, fmt.Errorf("the rule stagewise is for %d groups of equally many blocks, and there are %d blocks: "+
			"give --blocks a multiple of %[1]d", depth.Groups, n.Blocks)
	}
	return slices.Repeat([]int{n.Blocks / depth.Groups}, depth.Groups), nil
}

func (n Network) survival() (depth.Survival, error) {
	groups := []int{n.Blocks} // which no other rule divides
	if n.Rule == "stagewise" {
		var err error
		if groups, err = n.groups(); err != nil {
			return nil, err
		}
	}
	return depth.ByRule(n.Rule, groups, n.DeathRate, nil)
}

// Find returns the entry of that name.
func Find(name string) (Entry, error) {
	var names []string
	for _, e := range Entries() {
		if e.Name == name {
			return e, nil
		}
		names = append(names, e.Name)
	}
	return Entry{}, fmt.Errorf("there is no figure %q: the figures are %s", name, strings.Join(names, ", "))
}

// Available reports whether an entry can be drawn without naming runs: it is not of records, or figures.json has some.
func (s *Sources) Available(e Entry) bool {
	_, chosen := s.Choice[e.Name]
	return chosen || e.inputs == nothing || e.inputs == paper
}

// Inputs says in words what an entry is drawn from.
func (s *Sources) Inputs(e Entry) string {
	choice := s.Choice[e.Name]
	switch {
	case e.inputs == nothing:
		return "the formulas alone"
	case e.inputs == paper:
		return "the paper's numbers"
	case !s.Available(e):
		return "no records yet"
	case e.inputs == ofBench:
		return "the measurements " + choice.Bench
	}
	return strings.Join(choice.Runs, ", ")
}

// Draw draws one entry. If names are given, it uses these runs (or this record of measurements) instead of the entry's
// own.
func (s *Sources) Draw(e Entry, network Network, names ...string) (*Drawing, error) {
	choice, chosen := s.Choice[e.Name]
	if len(names) > 0 {
		if e.inputs != ofRuns && e.inputs != ofBench {
			return nil, fmt.Errorf("the figure %s is not drawn from runs", e.Name)
		}
		choice = Choice{Runs: names, Bench: names[0]}
	} else if !chosen && (e.inputs == ofRuns || e.inputs == ofBench) {
		return nil, fmt.Errorf("the figure %s has no runs or measurements to be drawn from yet: name some with --runs, or in %s",
			e.Name, filepath.Join(s.Folder, "figures.json"))
	}
	d := &drawing{Sources: s, network: network, bench: choice.Bench, note: choice.Note}
	drawn := &Drawing{Entry: e, Named: choice.Runs}
	switch e.inputs {
	case ofRuns:
		var unfinished []*runs.Run
		var err error
		if d.list, unfinished, err = s.open(choice.Runs); err != nil {
			return nil, fmt.Errorf("%s: %w", e.Name, err)
		}
		drawn.LeftOut = leftOut(e.Name, unfinished)
		for _, run := range d.list {
			drawn.Used = append(drawn.Used, run.Name)
		}
		d.provenance = figures.OfRuns(d.list).With(choice.Note, e.smaller(d.list))
	case ofBench:
		drawn.Used = []string{choice.Bench}
	}
	var err error
	if drawn.Figure, err = e.draw(d); err != nil {
		return nil, fmt.Errorf("%s: %w", e.Name, err)
	}
	drawn.Markdown = d.markdown
	return drawn, nil
}

// leftOut says in a sentence which runs a figure leaves out, and how far each is.
func leftOut(figure string, unfinished []*runs.Run) string {
	if len(unfinished) == 0 {
		return ""
	}
	var list []string
	for _, run := range unfinished {
		list = append(list, fmt.Sprintf("%s (%g of %d epochs)", run.Name, run.EpochsDone(), run.Recipe.Epochs))
	}
	return figure + " leaves out what is not finished: " + strings.Join(list, ", ")
}

// smaller says that runs are not of the paper's setting, if they are not.
func (s settings) smaller(list []*runs.Run) string {
	for _, run := range list {
		set, _ := dataset.Find(run.Recipe.Dataset)
		if len(s.depths) > 0 && (!slices.Contains(s.depths, run.Recipe.Depth) || run.Recipe.Epochs < s.epochs || set.Drawn) {
			return "Smaller than the paper's setting (" + s.paperSays + ")."
		}
	}
	return ""
}

// Save writes a drawing to path, without its extension, in the formats png, svg or pdf; a table also as .md.
func (d *Drawing) Save(path string, formats ...string) (paths []string, err error) {
	for _, format := range formats {
		file := path + "." + format
		if err := figures.Save(file, d.Figure); err != nil {
			return paths, err
		}
		paths = append(paths, file)
	}
	if d.Markdown != "" {
		if err := files.Write(path+".md", []byte(d.Markdown)); err != nil {
			return paths, err
		}
		paths = append(paths, path+".md")
	}
	return paths, nil
}

// SaveAll draws every available entry into a folder, and the gallery's README.md beside them. What cannot be drawn is
// reported in the error, and the rest is drawn. report is called with each file written, in the order of the entries, and
// with a sentence for each figure that leaves out runs which are not finished.
func (s *Sources) SaveAll(folder string, formats []string, network Network, report func(line string)) error {
	var entries []Entry
	for _, e := range Entries() {
		if s.Available(e) {
			entries = append(entries, e)
		}
	}
	type result struct {
		drawn *Drawing
		files []string
		err   error
	}
	results := make([]result, len(entries))
	var group sync.WaitGroup
	free := make(chan struct{}, runtime.GOMAXPROCS(0))
	for i, e := range entries {
		group.Go(func() {
			free <- struct{}{}
			defer func() { <-free }()
			r := &results[i]
			if r.drawn, r.err = s.Draw(e, network); r.err == nil {
				r.files, r.err = r.drawn.Save(filepath.Join(folder, filepath.FromSlash(e.Name)), formats...)
			}
		})
	}
	group.Wait()
	var failed []error
	var drawings []*Drawing
	for _, r := range results {
		for _, file := range r.files {
			report(file)
		}
		if r.err != nil {
			failed = append(failed, r.err)
			continue
		}
		if r.drawn.LeftOut != "" {
			report(r.drawn.LeftOut)
		}
		drawings = append(drawings, r.drawn)
	}
	if len(failed) > 0 {
		return errors.Join(failed...) // and the README still shows the whole gallery
	}
	readme := filepath.Join(folder, "README.md")
	if err := files.Make(readme, []byte(Readme(s.Paper, drawings))); err != nil {
		return err
	}
	report(readme)
	return nil
}

// SaveNamed draws the entries of those names, in a style, into the folder out; or one, to the file out if that has the
// extension of a format. runNames, if given, replace the entry's own runs. What cannot be drawn is reported in the error,
// and the rest is drawn. report is called as by SaveAll.
func (s *Sources) SaveNamed(names []string, out string, formats []string, network Network, style figures.Style, runNames []string,
	report func(line string)) error {
	file := ""
	if extension := strings.ToLower(filepath.Ext(out)); slices.Contains([]string{".png", ".svg", ".pdf"}, extension) {
		if len(names) > 1 {
			return fmt.Errorf("%d figures do not fit into the file %s: name a folder", len(names), out)
		}
		file, formats = strings.TrimSuffix(out, filepath.Ext(out)), []string{extension[1:]}
	}
	unsupported := []string{".jpg", ".jpeg", ".gif", ".tif", ".tiff", ".webp", ".eps", ".ps"}
	if extension := strings.ToLower(filepath.Ext(out)); slices.Contains(unsupported, extension) {
		return fmt.Errorf("figures are not written as %s: name a file that ends in .png, .svg or .pdf, or a folder", extension)
	}
	var failed []error
	for _, name := range names {
		e, err := Find(name)
		if err != nil {
			failed = append(failed, err)
			continue
		}
		path := file
		if path == "" {
			path = filepath.Join(out, filepath.FromSlash(e.Name))
		}
		drawn, err := s.Draw(e, network, runNames...)
		if err == nil {
			if drawn.Figure, err = drawn.Figure.In(style); err != nil {
				err = fmt.Errorf("%s: %w", e.Name, err)
			}
		}
		if err == nil {
			var files []string
			files, err = drawn.Save(path, formats...)
			for _, f := range files {
				report(f)
			}
			if drawn.LeftOut != "" {
				report(drawn.LeftOut)
			}
		}
		if err != nil {
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}
