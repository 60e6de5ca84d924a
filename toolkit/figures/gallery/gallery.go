package gallery

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"stochdepth/toolkit/dataset"
	"stochdepth/toolkit/depth"
	"stochdepth/toolkit/figures"
	"stochdepth/toolkit/internal/files"
	"stochdepth/toolkit/internal/say"
	"stochdepth/toolkit/runs"
	"stochdepth/toolkit/runs/pruned"
)

// Entry is one figure or table.
type Entry struct {
	Name    string // of the figure and of its file: "fig3"; "paper/fig3" shows the paper's own numbers
	Heading string // what it belongs to: "Fig. 3", "Beyond the paper"
	Shows   string // in a sentence or two
	inputs  inputs
	settings
	draw   func(d *drawing) (*figures.Figure, error)
	beside []string // figures of the paper whose values may be drawn beside those of the runs
}

// inputs is what an entry is drawn from.
type inputs int

const (
	nothing inputs = iota // but a rule and a seed
	paper
	ofRuns
	ofBench
	ofPruned
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
	pruned     []*pruned.Record
	provenance figures.Provenance // of the runs
	note       string             // about these records
	beside     []string           // figures of the paper whose values are to be shown too
	cells      *figures.Table     // set by the entry's function, if it draws one
}

// Drawing is a drawn entry.
type Drawing struct {
	Entry
	Figure   *figures.Figure
	Style    figures.Style  // of the figure
	Table    *figures.Table // what it shows, if that is a table
	Markdown string         // of the table
	Used     []string       // runs, or the record of measurements
	Named    []string       // as figures.json names them, with asterisks
	LeftOut  string         // a sentence on the runs that asterisks name and that are not finished, or ""
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

// Besides are the names of the figures that can show the paper's values beside those of runs.
func Besides() []string {
	var names []string
	for _, e := range Entries() {
		if e.beside != nil {
			names = append(names, e.Name)
		}
	}
	return names
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
	case e.inputs == ofPruned:
		return "the pruned networks " + strings.Join(choice.Pruned, ", ")
	}
	return strings.Join(choice.Runs, ", ")
}

// Draw draws one entry. If names are given, it uses these runs (or this record of measurements) instead of the entry's
// own.
func (s *Sources) Draw(e Entry, network Network, names ...string) (*Drawing, error) {
	if s.Published && e.beside == nil {
		return nil, fmt.Errorf("the figure %s does not show the paper's values beside ours: %s do", e.Name, say.Enumerate(Besides()))
	}
	choice, chosen := s.Choice[e.Name]
	if len(names) > 0 {
		if e.inputs == nothing || e.inputs == paper {
			return nil, fmt.Errorf("the figure %s is not drawn from runs", e.Name)
		}
		choice = Choice{Runs: names, Bench: names[0], Pruned: names}
	} else if !chosen && e.inputs != nothing && e.inputs != paper {
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
		if s.Published {
			d.beside, d.provenance.Origin = e.beside, "published and ours"
		}
	case ofBench:
		drawn.Used = []string{choice.Bench}
	case ofPruned:
		drawn.Named = choice.Pruned
		var err error
		if d.pruned, err = s.Pruned(choice.Pruned); err != nil {
			return nil, fmt.Errorf("%s: %w", e.Name, err)
		}
		for _, record := range d.pruned {
			drawn.Used = append(drawn.Used, record.Network)
		}
	}
	var err error
	if drawn.Figure, err = e.draw(d); err != nil {
		return nil, fmt.Errorf("%s: %w", e.Name, err)
	}
	if drawn.Table = d.cells; d.cells != nil {
		drawn.Markdown = d.cells.Markdown()
	}
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

// Formats are those in which a drawing can be saved: pictures, the numbers that a figure shows or the cells of a table, and
// a table for LaTeX.
var Formats = []string{"png", "svg", "pdf", "csv", "tex"}

// CheckFormat refuses what is not among [Formats].
func CheckFormat(format string) error {
	if slices.Contains(Formats, format) {
		return nil
	}
	return fmt.Errorf("unknown format %q: use %s or tex", format, strings.Join(Formats[:len(Formats)-1], ", "))
}

// In draws the figure in a style.
func (d *Drawing) In(style figures.Style) error {
	styled, err := d.Figure.In(style)
	if err != nil {
		return fmt.Errorf("%s: %w", d.Name, err)
	}
	d.Figure, d.Style = styled, style
	return nil
}

// Without is the error of a drawing that has nothing to write in a format.
type Without struct{ sentence string }

func (w Without) Error() string { return w.sentence }

// Bytes returns the drawing as a file of one of the [Formats]. It is [Without] for the numbers of a drawing that has none, and for
// a figure as a table.
func (d *Drawing) Bytes(format string) ([]byte, error) {
	switch {
	case format == "tex" && d.Table != nil:
		return []byte(d.Table.LaTeX(d.Style)), nil
	case format == "tex":
		return nil, Without{d.Name + " is no table: only tables are written as tex, the numbers of others as csv"}
	case format == "csv" && d.Table != nil:
		return d.Table.CSV(), nil
	case format == "csv":
		if numbers := d.Figure.NumbersCSV(); numbers != nil {
			return numbers, nil
		}
		return nil, Without{d.Name + " is a drawing without numbers: there is nothing to write as csv"}
	}
	return d.Figure.Bytes(format)
}

// Save writes a drawing to path, without its extension, in some of the [Formats]; a table that is written as a picture, also as
// .md. Formats in which it has nothing to write are left out, and are the error [Without] at the end.
func (d *Drawing) Save(path string, formats ...string) (paths []string, err error) {
	picture := false
	var nothing error
	for _, format := range formats {
		data, err := d.Bytes(format)
		if errors.As(err, new(Without)) {
			nothing = errors.Join(nothing, err)
			continue
		}
		if err != nil {
			return paths, err
		}
		file := path + "." + format
		if err := files.Make(file, data); err != nil {
			return paths, err
		}
		paths, picture = append(paths, file), picture || format != "csv" && format != "tex"
	}
	if picture && d.Markdown != "" {
		if err := files.Write(path+".md", []byte(d.Markdown)); err != nil {
			return paths, err
		}
		paths = append(paths, path+".md")
	}
	return paths, nothing
}

// SaveAll draws every available entry into a folder, and the gallery's README.md beside them. What cannot be drawn is
// reported in the error, and the rest is drawn. report is called with each file written, in the order of the entries, and
// with a sentence for each figure that leaves out runs which are not finished, or that has nothing in a format.
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
		if errors.As(r.err, new(Without)) {
			report(r.err.Error())
		} else if r.err != nil {
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
// and the rest is drawn. report is called as by SaveAll; that a single figure has nothing in a format is an error.
func (s *Sources) SaveNamed(names []string, out string, formats []string, network Network, style figures.Style, runNames []string,
	report func(line string)) error {
	file := ""
	if extension := strings.ToLower(filepath.Ext(out)); extension != "" && slices.Contains(Formats, extension[1:]) {
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
	own := ownNames{}
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
			if err = drawn.In(style); len(names) > 1 {
				err = own.allow(drawn, style, err)
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
		if errors.As(err, new(Without)) && len(names) > 1 {
			report(err.Error())
		} else if err != nil {
			failed = append(failed, err)
		}
	}
	return errors.Join(append(failed, own.refused())...)
}

// ownNames counts the figures that lack a name in the style of several: it is no error if another has it.
type ownNames struct {
	drawn  int
	absent map[string]int
	first  error
}

// allow draws a figure in a style without the names that it does not have.
func (o *ownNames) allow(d *Drawing, style figures.Style, err error) error {
	o.drawn++
	for {
		var unknown figures.UnknownNames
		if !errors.As(err, &unknown) {
			return err
		}
		if o.absent == nil {
			o.absent, o.first = map[string]int{}, err
		}
		for _, name := range unknown.Names {
			o.absent[name]++
		}
		style.Own = style.Own.Without(unknown.Names)
		err = d.In(style)
	}
}

// refused is the error of a name that no figure has.
func (o *ownNames) refused() error {
	for _, name := range slices.Sorted(maps.Keys(o.absent)) {
		if o.absent[name] == o.drawn {
			return fmt.Errorf("the style names %q, which none of these figures has: %w", name, o.first)
		}
	}
	return nil
}
