// Package say makes the words of the toolkit's messages: numbers, spans of time, names that are safe to show, suggestions
// for misspelt words, errors in JSON files, and tables for people and programs.
package say

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Shown is a name that is safe to show: the name itself, or quoted if it has a character that is invisible or would act on
// a terminal. Anybody can name a folder.
func Shown(name string) string {
	if !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.Quote(name)
	}
	return name
}

// FewOf names the first few of a list, as they are shown: "a, b, c and 7 more".
func FewOf(names []string) string {
	const few = 3
	shown := make([]string, 0, few)
	for _, name := range names[:min(few, len(names))] {
		shown = append(shown, Shown(name))
	}
	if len(names) <= few {
		return Enumerate(shown)
	}
	return fmt.Sprintf("%s and %s more", strings.Join(shown, ", "), Grouped(len(names)-few))
}

// CheckRange says in one sentence that a number is not in [least, most], or returns nil. what is the number's name, such as
// "epochs" or "--workers".
func CheckRange(what string, n, least, most int) error {
	if n < least || n > most {
		return fmt.Errorf("%s is %d: it must be from %s to %s", what, n, Grouped(least), Grouped(most))
	}
	return nil
}

// Grouped writes n with commas: 100,000.
func Grouped[T int | int64](n T) string {
	s := strconv.FormatInt(int64(n), 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// Exact writes x in the fewest digits that read back exactly.
func Exact(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }

// Span is a duration in the two units that matter to people: 7 s, 1 min 05 s, 2 h 30 min, 14 days.
func Span(d time.Duration) string {
	d = d.Round(time.Second)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min %02d s", int(d.Minutes()), int(d.Seconds())%60)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h %02d min", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24+0.5))
}

// SpanOf is [Span] for a number of seconds.
func SpanOf(seconds float64) string { return Span(time.Duration(seconds * float64(time.Second))) }

// Decimal writes x with up to six digits, without the noise of binary fractions and with a true minus sign.
func Decimal(x float64) string {
	return strings.Replace(strconv.FormatFloat(x+0, 'g', 6, 64), "-", "−", 1) // + 0: no negative zero
}

// Enumerate lists items as in a sentence: "1, 2 and 3".
func Enumerate[T any](items []T) string {
	words := make([]string, len(items))
	for i, item := range items {
		words[i] = fmt.Sprint(item)
	}
	if n := len(words); n > 1 {
		return strings.Join(words[:n-1], ", ") + " and " + words[n-1]
	}
	return strings.Join(words, "")
}

// Plural is the "s" at the end of a noun for n things, "" for one.
func Plural(n int) string {
	if n == 1 {
		return ""
	}
	return "s"
}

// IsOrAre is the verb after a noun for n things.
func IsOrAre(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

// ShortCommit is a commit's first seven digits, with the plus sign that marks a changed source. In a list of commits, as in
// the files of networks, it shortens each.
func ShortCommit(commit string) string {
	list := strings.Split(commit, ", ")
	for i, one := range list {
		hash, changed := strings.CutSuffix(one, "+")
		list[i] = hash[:min(7, len(hash))]
		if changed {
			list[i] += "+"
		}
	}
	return strings.Join(list, ", ")
}

// Markdown is a text for a page in Markdown, where p_L gets its index below the line.
func Markdown(text string) string { return strings.ReplaceAll(text, "p_L", "*p<sub>L</sub>*") }
