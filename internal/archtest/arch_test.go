package archtest

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/keywright/keywright"

// inner is what an edge may import of the project: the use cases and what they stand on, never another edge.
var inner = []string{
	"internal/access", "internal/authorize", "internal/lifecycle", "internal/manage", "internal/oauth", "internal/query", "internal/secret",
	"internal/signing", "internal/strictjson", "internal/validate",
}

// everything allows any import: the package only puts things together.
var everything = []string{"*"}

// mayImport names, for each part of the house, the other parts its own code (not its tests) may import. A part is
// a folder with all below it, unless a folder below has a line of its own. A folder without a line fails the
// test: give it its place here.
var mayImport = map[string][]string{
	"internal/lifecycle": nil, // The core; onlyStandardLibrary says more.
	"internal/query":     {"internal/lifecycle"},
	"internal/secret":    {"internal/lifecycle"},
	"internal/access":    {"internal/lifecycle"},
	"internal/manage":    {"internal/access", "internal/lifecycle", "internal/query", "internal/secret"},
	"internal/validate":  {"internal/lifecycle", "internal/query", "internal/secret"},
	"internal/limit":     {"internal/lifecycle"},
	"internal/signing":   {"internal/lifecycle", "internal/secret"},
	"internal/oauth":     {"internal/lifecycle", "internal/secret", "internal/signing", "internal/validate"},
	"internal/authorize": {"internal/lifecycle", "internal/secret", "internal/validate"},

	"graph":              inner,
	"internal/extauthz":  inner,
	"internal/gateway":   inner,
	"internal/httpapi":   inner,
	"internal/jobs":      inner,
	"internal/live":      inner,
	"internal/mail":      inner,
	"internal/scheduler": nil,
	"internal/plainhttp": nil,
	"internal/shared":    inner,
	"internal/store":     append([]string{"migrations"}, inner...),

	"internal/app":  everything,
	"cmd/keywright": append([]string{"internal/app"}, inner...),

	"internal/strictjson": nil,

	// These stand alone: embedded files, the clock, and what only builds and tests use.
	"migrations":        nil,
	"web":               nil,
	"internal/clock":    nil,
	"bench":             nil,
	"test":              nil,
	"internal/apptest":  nil,
	"internal/archtest": nil,
	"internal/testenv":  nil,
}

// onlyStandardLibrary are the parts that import nothing from outside Go itself.
var onlyStandardLibrary = []string{"internal/lifecycle"}

// onlyUsers names who may import a library. Everybody else goes through them.
var onlyUsers = map[string][]string{
	"github.com/99designs/gqlgen":    {"graph"},
	"github.com/go-jose/go-jose":     {"internal/signing"},
	"github.com/go-oauth2/oauth2":    {"internal/httpapi"},
	"github.com/jackc/pgx":           {"internal/store", "internal/testenv"},
	"github.com/redis/go-redis":      {"internal/shared"},
	"github.com/riverqueue/river":    {"internal/jobs"},
	"github.com/tink-crypto/tink-go": {"internal/secret"},
	"github.com/uptrace/bun":         {"internal/store"},
	"github.com/wneessen/go-mail":    {"internal/mail"},
	"modernc.org/sqlite":             {"internal/store"},
}

// clocks are the parts where the one reading of the clock may stand.
var clocks = []string{"internal/app", "internal/clock"}

// outsideTheProduct are parts that do not end up in the binary. Like tests, and like folders whose name begins or
// ends with "test", they may import what they need and read the clock, and nothing in the binary may import them.
var outsideTheProduct = []string{"bench", "internal/testenv"}

// source is one Go file that is not a test.
type source struct {
	folder        string // relative to the module, with slashes
	name          string
	imports       []string
	clockReadings []int // lines
}

func TestImportsPointInward(t *testing.T) {
	for _, complaint := range complaints(sources(t)) {
		t.Error(complaint)
	}
}

func TestTheClockIsReadInOnePlace(t *testing.T) {
	var places []string
	for _, s := range sources(t) {
		if servesTests(s.folder) {
			continue
		}
		for _, line := range s.clockReadings {
			place := fmt.Sprintf("%s/%s:%d", s.folder, s.name, line)
			places = append(places, place)
			if !isIn(s.folder, clocks) {
				t.Errorf("%s reads the clock: take the time from the caller", place)
			}
		}
	}
	if len(places) > 1 {
		t.Errorf("the clock is read in %d places, want one: %s", len(places), strings.Join(places, ", "))
	}
}

func TestAnArrowThatPointsOutwardIsFound(t *testing.T) {
	for _, c := range []struct{ from, to, want string }{
		{"internal/lifecycle", module + "/internal/secret", "may not import"},
		{"internal/lifecycle", "github.com/google/uuid", "standard library"},
		{"internal/manage", module + "/internal/store", "may not import"},
		{"internal/query", module + "/internal/manage", "may not import"},
		{"internal/validate", module + "/internal/manage", "may not import"},
		{"graph", module + "/internal/live", "may not import"},
		{"graph/transport", module + "/internal/store/postgres", "may not import"},
		{"internal/store", module + "/internal/shared", "may not import"},
		{"internal/httpapi", module + "/internal/app", "may not import"},
		{"cmd/keywright", module + "/internal/store", "may not import"},
		{"internal/app", module + "/internal/testenv", "serves tests"},
		{"internal/store", module + "/internal/store/storetest", "serves tests"},
		{"internal/manage", "github.com/uptrace/bun/dialect/pgdialect", "only internal/store"},
		{"internal/live", "github.com/redis/go-redis/v9", "only internal/shared"},
		{"internal/somethingnew", "fmt", "has no line"},
	} {
		found := complaints([]source{{folder: c.from, imports: []string{c.to}}})
		if len(found) != 1 || !strings.Contains(found[0], c.want) {
			t.Errorf("%s → %s: complaints %q, want one with %q", c.from, c.to, found, c.want)
		}
	}
	for from, to := range map[string]string{
		"graph":                    module + "/graph/internal/gen",
		"graph/internal/gen":       "github.com/99designs/gqlgen/graphql",
		"internal/app":             module + "/internal/store",
		"internal/lifecycle":       "net/url",
		"internal/store/storetest": module + "/internal/testenv",
		"internal/store/postgres":  "github.com/uptrace/bun",
		"cmd/keywright":            module + "/internal/app",
	} {
		if found := complaints([]source{{folder: from, imports: []string{to}}}); len(found) > 0 {
			t.Errorf("%s → %s: complaints %q, want none", from, to, found)
		}
	}
}

// complaints lists the imports that break a rule.
func complaints(sources []source) []string {
	var found []string
	for _, s := range sources {
		part, ok := partOf(s.folder)
		if !ok {
			found = append(found, fmt.Sprintf("%s has no line in mayImport: decide where it stands", s.folder))
			continue
		}
		if servesTests(s.folder) {
			continue
		}
		for _, imported := range s.imports {
			if complaint := complain(path.Join(s.folder, s.name), part, imported); complaint != "" {
				found = append(found, complaint)
			}
		}
	}
	return found
}

func complain(name, part, imported string) string {
	if own, ok := strings.CutPrefix(imported, module+"/"); ok {
		return complainAboutOwn(name, part, own)
	}
	if isIn(part, onlyStandardLibrary) && !isStandard(imported) {
		return fmt.Sprintf("%s imports %s: it keeps to the standard library", name, imported)
	}
	for library, users := range onlyUsers {
		if isUnder(imported, library) && !isIn(part, users) {
			return fmt.Sprintf("%s imports %s: only %s may", name, imported, strings.Join(users, " and "))
		}
	}
	return ""
}

func complainAboutOwn(name, part, imported string) string {
	if servesTests(imported) {
		return fmt.Sprintf("%s may not import %s: it serves tests", name, imported)
	}
	target, _ := partOf(imported)
	if target != part && !allows(mayImport[part], target) {
		return fmt.Sprintf("%s may not import %s: arrows point inward", name, imported)
	}
	return ""
}

func allows(list []string, target string) bool {
	return slices.Contains(list, "*") || slices.Contains(list, target)
}

// partOf is the longest folder of mayImport that name is in.
func partOf(name string) (string, bool) {
	for dir := name; dir != "."; dir = path.Dir(dir) {
		if _, ok := mayImport[dir]; ok {
			return dir, true
		}
	}
	return "", false
}

func isIn(name string, parts []string) bool {
	return slices.ContainsFunc(parts, func(part string) bool { return isUnder(name, part) })
}

func isUnder(name, dir string) bool {
	return name == dir || strings.HasPrefix(name, dir+"/")
}

func servesTests(folder string) bool {
	return isIn(folder, outsideTheProduct) || slices.ContainsFunc(strings.Split(folder, "/"), func(element string) bool {
		return strings.HasPrefix(element, "test") || strings.HasSuffix(element, "test")
	})
}

// isStandard: the standard library's paths have no dot in their first element.
func isStandard(importPath string) bool {
	first, _, _ := strings.Cut(importPath, "/")
	return !strings.Contains(first, ".")
}

// sources reads the module from its root, whatever the build tags. It opens every folder itself instead of asking
// the go command, so that a cached result of this test is dropped when any of them changes.
func sources(t *testing.T) []source {
	t.Helper()
	root := filepath.Join("..", "..")
	var found []source
	err := filepath.WalkDir(root, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			return skipForeign(root, file)
		}
		if !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return nil
		}
		s, err := readSource(root, file)
		found = append(found, s)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(found) == 0 {
		t.Fatal("found no Go files")
	}
	return found
}

// skipForeign leaves out what the go command leaves out, and what npm brings along.
func skipForeign(root, dir string) error {
	if dir == root {
		return nil
	}
	base := filepath.Base(dir)
	if strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") || base == "testdata" || base == "node_modules" {
		return fs.SkipDir
	}
	if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
		return fs.SkipDir
	}
	return nil
}

func readSource(root, file string) (source, error) {
	relative, err := filepath.Rel(root, file)
	if err != nil {
		return source{}, err
	}
	files := token.NewFileSet()
	parsed, err := parser.ParseFile(files, file, nil, parser.SkipObjectResolution)
	if err != nil {
		return source{}, err
	}
	s := source{folder: filepath.ToSlash(filepath.Dir(relative)), name: filepath.Base(file)}
	for _, spec := range parsed.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return source{}, err
		}
		s.imports = append(s.imports, imported)
	}
	ast.Inspect(parsed, func(node ast.Node) bool {
		switch node := node.(type) {
		case *ast.CallExpr:
			return !setsDeadline(node)
		case *ast.SelectorExpr:
			if readsClock(node) {
				s.clockReadings = append(s.clockReadings, files.Position(node.Pos()).Line)
			}
		}
		return true
	})
	return s, nil
}

// readsClock: Since and Until call Now.
func readsClock(selector *ast.SelectorExpr) bool {
	from, ok := selector.X.(*ast.Ident)
	return ok && from.Name == "time" && slices.Contains([]string{"Now", "Since", "Until"}, selector.Sel.Name)
}

// setsDeadline: a connection's deadline is an instant of the machine's own clock. A clock that a test holds has no
// say in it, so there time.Now is right.
func setsDeadline(call *ast.CallExpr) bool {
	method, ok := call.Fun.(*ast.SelectorExpr)
	return ok && slices.Contains([]string{"SetDeadline", "SetReadDeadline", "SetWriteDeadline"}, method.Sel.Name)
}
