// Package testscripts owns the stories: scripts that drive the real nt binary as
// separate processes against a fault-injecting origin, each named after the row
// of the seeds it proves. It also holds the helper programs the scripts use.
// It may know the command line and the wire, never what is inside.
//
// Besides the standard commands of testscript a script may use:
//
//	spawn NAME PROGRAM ARG...   start a process; its output goes to NAME.out and NAME.err
//	waitline NAME RE [VAR...]   wait until its output has a matching line; VARs take the groups
//	signal NAME KILL|TERM|INT   send a signal
//	reap NAME [CODE]            wait until it has ended, with that exit code
//	mode NAME MODE              how the spawned origin treats requests from now on
//	poll URL RE                 ask until the answer matches
//	world N [FLAG...]           spawn origin, tracker and N peers p1..pN, with FLAGs; sets ORIGIN,
//	                            TRACKER, P1..PN (proxies) and ADMIN1..ADMINN
//	mkfile FILE SIZE            write pseudo-random bytes, the same every time
//	mkcert DIR                  a certificate for 127.0.0.1: authority.pem, cert.pem and key.pem
//	urlkey VAR URL              the key under which trackers know a URL
//	etag VAR FILE               the ETag in a header file of httpget
//	flip FILE|DIR OFFSET        change a bit, in a folder of every file that is long enough
//	code CODE PROGRAM ARG...    run to the end and expect that exit code; output in the files out and err
package testscripts
