package testscripts

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"nt/modes"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"nt":      func() { os.Exit(modes.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.Environ())) },
		"origin":  func() { os.Exit(originMain(os.Args[1:])) },
		"httpget": func() { os.Exit(httpgetMain(os.Args[1:])) },
		"badpeer": func() { os.Exit(badpeerMain(os.Args[1:])) },
	})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 ".",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			// An empty world: no proxy, no configuration, state and cache of its own.
			for _, kv := range []string{
				"HOME=" + env.WorkDir, "XDG_STATE_HOME=" + env.WorkDir + "/state", "XDG_CACHE_HOME=" + env.WorkDir + "/cache",
				"XDG_CONFIG_HOME=" + env.WorkDir + "/config", "XDG_RUNTIME_DIR=" + env.WorkDir + "/run",
				"http_proxy=", "https_proxy=", "HTTP_PROXY=", "HTTPS_PROXY=", "NT_ALLOW_PRIVATE=true",
			} {
				env.Vars = append(env.Vars, kv)
			}
			if name := os.Getenv("NT_TEST_TRANSPORT"); name != "" { // the same stories over another transport
				env.Vars = append(env.Vars, "NT_TRANSPORT="+name)
			}
			env.Values[processesKey{}] = &processes{}
			return os.MkdirAll(env.WorkDir+"/run", 0o700)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"spawn":     cmdSpawn,
			"waitline":  cmdWaitline,
			"signal":    cmdSignal,
			"reap":      cmdReap,
			"mode":      cmdMode,
			"poll":      cmdPoll,
			"world":     cmdWorld,
			"flip":      cmdFlip,
			"urlkey":    cmdUrlkey,
			"etag":      cmdEtag,
			"samehead":  cmdSamehead,
			"notarykey": cmdNotarykey,
			"mkfile":    cmdMkfile,
			"mkcert":    cmdMkcert,
			"portof":    cmdPortof,
			"code":      cmdCode,
			"backdate":  cmdBackdate,
		},
	})
}
