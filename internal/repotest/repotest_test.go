package repotest

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// root is the top of the repository.
const root = "../.."

// source is one Go file of the repository.
type source struct {
	path  string // from the root
	pkg   string // its folder
	test  bool
	lines int
	set   *token.FileSet
	file  *ast.File
}

// sources reads all Go files of the module.
func sources(t *testing.T) []source {
	t.Helper()
	var all []source
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() && path != root && (strings.HasPrefix(name, ".") || name == "testdata") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(name, ".go") {
			return nil
		}
		s, err := read(path)
		all = append(all, s)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// read parses one file.
func read(path string) (source, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return source{}, err
	}
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, path, text, parser.ParseComments|parser.SkipObjectResolution)
	rel := filepath.ToSlash(strings.TrimPrefix(path, root+string(filepath.Separator)))
	return source{
		path: rel, pkg: filepath.ToSlash(filepath.Dir(rel)), test: strings.HasSuffix(path, "_test.go"),
		lines: bytes.Count(text, []byte("\n")), set: set, file: file,
	}, err
}

// imports returns the paths that a file imports.
func (s source) imports() []string {
	var paths []string
	for _, i := range s.file.Imports {
		paths = append(paths, strings.Trim(i.Path.Value, `"`))
	}
	return paths
}

func TestAPackageImportsOnlyLowerFloors(t *testing.T) {
	for _, s := range sources(t) {
		floor, known := floors[s.pkg]
		if !known {
			t.Errorf("%s: package %s is not on the map", s.path, s.pkg)
			continue
		}
		if s.test {
			continue
		}
		for _, path := range s.imports() {
			other, ours := strings.CutPrefix(path, module)
			if !ours {
				continue
			}
			if f, known := floors[other]; !known || f >= floor {
				t.Errorf("%s imports %s, which is not on a lower floor", s.path, other)
			}
		}
	}
}

func TestTheMapHasNoEmptyPlaces(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range sources(t) {
		seen[s.pkg] = true
	}
	for pkg := range floors {
		if !seen[pkg] {
			t.Errorf("the map names %s, which does not exist", pkg)
		}
	}
}

func TestThirdPartyPackagesStayAtHome(t *testing.T) {
	for _, s := range sources(t) {
		if s.test {
			continue
		}
		for _, path := range s.imports() {
			first, _, _ := strings.Cut(path, "/")
			if !strings.Contains(first, ".") || strings.HasPrefix(path, module) {
				continue
			}
			home, known := homeOf(path)
			if !known {
				t.Errorf("%s imports %s, which has no home on the map", s.path, path)
			} else if !slices.Contains(home, s.pkg) {
				t.Errorf("%s imports %s, whose home is %v", s.path, path, home)
			}
		}
	}
}

func TestT39HashesThatAnybodyCanCalculateStayAtHome(t *testing.T) {
	for _, s := range sources(t) {
		if s.test {
			continue
		}
		for _, path := range s.imports() {
			if home, bare := unseeded[path]; bare && !slices.Contains(home, s.pkg) {
				t.Errorf("%s imports %s, whose home is %v", s.path, path, home)
			}
		}
	}
}

// homeOf returns the packages that may import path.
func homeOf(path string) ([]string, bool) {
	for prefix, home := range homes {
		if path == prefix || strings.HasPrefix(path, prefix+"/") {
			return home, true
		}
	}
	return nil, false
}

func TestFilesFunctionsAndInterfacesAreSmall(t *testing.T) {
	for _, s := range sources(t) {
		if s.test {
			continue
		}
		if s.lines > maxFile {
			t.Errorf("%s has %d lines, more than %d", s.path, s.lines, maxFile)
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				checkFunction(t, s, n)
			case *ast.InterfaceType:
				if m := n.Methods.NumFields(); m > maxInterface {
					t.Errorf("%s: an interface has %d methods, more than %d", s.set.Position(n.Pos()), m, maxInterface)
				}
			}
			return true
		})
	}
}

// checkFunction measures one function. One that is nothing but a flat switch, as over opcodes, may be longer.
func checkFunction(t *testing.T, s source, f *ast.FuncDecl) {
	t.Helper()
	if f.Body == nil || isFlatSwitch(f.Body) {
		return
	}
	lines := s.set.Position(f.End()).Line - s.set.Position(f.Pos()).Line + 1
	if lines > maxFunction {
		t.Errorf("%s: %s has %d lines, more than %d", s.set.Position(f.Pos()), f.Name.Name, lines, maxFunction)
	}
	if !f.Name.IsExported() {
		return
	}
	for _, p := range f.Type.Params.List {
		if id, ok := p.Type.(*ast.Ident); ok && id.Name == "bool" {
			t.Errorf("%s: %s has a bool parameter", s.set.Position(f.Pos()), f.Name.Name)
		}
	}
}

// isFlatSwitch reports whether a body is one switch, with at most a few lines around it.
func isFlatSwitch(body *ast.BlockStmt) bool {
	if len(body.List) > 4 {
		return false
	}
	return slices.ContainsFunc(body.List, func(s ast.Stmt) bool {
		_, ok := s.(*ast.SwitchStmt)
		return ok
	})
}
