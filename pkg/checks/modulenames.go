package checks

import (
	"path"
	"strings"
)

// ModuleNames returns the modules that an image has, for Release.Modules. A line is the name of a module, "resty.http",
// or the path of a file, "/usr/local/share/lua/5.1/resty/http.lua". Any directory can be in Lua's search path, so each
// ending of a path counts as a name.
func ModuleNames(lines []string) map[string]bool {
	modules := map[string]bool{}
	for _, line := range lines {
		line = strings.TrimSpace(line)
		stem, isFile := strings.CutSuffix(line, LuaSuffix)
		if !isFile {
			stem, isFile = strings.CutSuffix(line, ".so")
		}
		switch {
		case line == "" || len(line) > maxModuleLine:
		case !isFile && !strings.Contains(line, "/"):
			modules[line] = true
		case isFile:
			addEndings(modules, strings.TrimSuffix(stem, "/init"))
		}
	}
	return modules
}

// maxModuleLine limits the lines that are read, in bytes.
const maxModuleLine = 1000

// addEndings adds the names for each ending of a path without its suffix.
func addEndings(modules map[string]bool, stem string) {
	const maxElements = 8
	name := ""
	for range maxElements {
		element := path.Base(stem)
		if element == "." || element == "/" || strings.Contains(element, ".") {
			return
		}
		if name != "" {
			name = "." + name
		}
		name = element + name
		modules[name] = true
		stem = path.Dir(stem)
	}
}
