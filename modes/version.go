package modes

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// versionCmd says which build this is.
type versionCmd struct {
	JSON bool `name:"json" help:"One JSON object."`
}

// build is what nt version --json prints.
type build struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"`
	Modified bool   `json:"modified,omitempty"`
	Go       string `json:"go"`
	OS       string `json:"os"`
	Arch     string `json:"arch"`
}

// Run prints the build.
func (c *versionCmd) Run(a *app) error {
	b := thisBuild()
	if c.JSON {
		return a.printJSON(b)
	}
	return a.println(b.String())
}

// String is the line that nt version and nt --version print.
func (b build) String() string {
	line := fmt.Sprintf("nt %s (%s %s/%s)", b.Version, b.Go, b.OS, b.Arch)
	if b.Revision != "" {
		line += " " + b.Revision
	}
	return line
}

// thisBuild reads what the linker left in the binary.
func thisBuild() build {
	b := build{Version: "devel", Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		b.Version = v
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Revision = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	return b
}
