package status

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"kongdao.io/kongdao/pkg/annotations"
)

// TableOptions are the settings of a table.
type TableOptions struct {
	// Wide adds columns, and all messages.
	Wide bool
	// WithNamespace adds a column with the namespace.
	WithNamespace bool
	// Colored writes the states in the colors of a terminal.
	Colored bool
}

// Table formats a report as kubectl formats tables.
func (r Report) Table(options TableOptions) string {
	header := []string{"WORKLOAD", "REQUESTS", "RELEASES", "PODS", "MIGRATION", "STATE", "MESSAGE"}
	if options.Wide {
		header = slices.Insert(header, 5, "DATABASE", "DIGESTS")
	}
	if options.WithNamespace {
		header = slices.Insert(header, 0, "NAMESPACE")
	}
	rows := [][]string{header}
	for i := range r.Workloads {
		rows = append(rows, r.Workloads[i].rows(options)...)
	}
	return format(rows, slices.Index(header, "STATE"), options.Colored)
}

// rows returns the row of a workload. With wide output, further rows have the other messages.
func (w *Workload) rows(options TableOptions) [][]string {
	var releases, digests, migrations, databases []string
	for _, release := range w.Releases {
		releases = append(releases, annotations.PluginRef{Name: release.Plugin, Version: release.Version}.String())
		digests = append(digests, shortDigest(release.Digest))
	}
	for _, migration := range w.Migrations {
		migrations = append(migrations, fmt.Sprintf("%s (%s)", migration.Name, migration.Phase))
		databases = append(databases, migration.Database)
	}
	message := ""
	if len(w.Messages) > 0 {
		message = w.Messages[0]
	}
	if more := len(w.Messages) - 1; more > 0 && !options.Wide {
		message += fmt.Sprintf(" (and %d more: use -o wide)", more)
	}
	row := []string{
		strings.ToLower(w.Kind) + "/" + w.Name, list(w.Requests), list(releases),
		fmt.Sprintf("%d/%d", w.Pods.Current, w.Pods.Total), list(migrations), string(w.State), message,
	}
	if options.Wide {
		row = slices.Insert(row, 5, list(databases), list(digests))
	}
	if options.WithNamespace {
		row = slices.Insert(row, 0, w.Namespace)
	}
	rows := [][]string{row}
	for i := 1; i < len(w.Messages) && options.Wide; i++ {
		more := make([]string, len(row))
		more[len(more)-1] = w.Messages[i]
		rows = append(rows, more)
	}
	return rows
}

// list joins the values of a cell. An empty cell is "-", so that each row has the same number of words.
func list(values []string) string {
	if len(values) == 0 {
		return "-"
	}
	return strings.Join(slices.Compact(values), ",")
}

// shortDigest returns the first characters of a digest: "sha256:42b991e045".
func shortDigest(digest string) string {
	const length = len("sha256:") + 10
	return digest[:min(len(digest), length)]
}

// colors are the escape sequences of the states.
var colors = map[State]string{Ready: "32", Updating: "36", Waiting: "33", Problem: "31"}

// printable replaces control characters. Without this, an annotation could change the colors of a terminal, or its
// text.
func printable(cell string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return '?'
		}
		return r
	}, cell)
}

// format aligns the columns. The state has a color, if colored is true.
func format(rows [][]string, stateColumn int, colored bool) string {
	var widths []int
	for column := range rows[0] {
		width := 0
		for _, row := range rows {
			width = max(width, utf8.RuneCountInString(row[column]))
		}
		widths = append(widths, width)
	}
	var text strings.Builder
	for _, row := range rows {
		var line strings.Builder
		for column, cell := range row {
			cell = printable(cell)
			padding := strings.Repeat(" ", widths[column]-utf8.RuneCountInString(cell)+3)
			if color := colors[State(cell)]; colored && column == stateColumn && color != "" {
				cell = "\x1b[" + color + "m" + cell + "\x1b[0m"
			}
			line.WriteString(cell + padding)
		}
		text.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	return text.String()
}
