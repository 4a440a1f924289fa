// Package proxy owns the forward proxy a browser is pointed at (N4): how a
// reader's request is taken apart, checked and rebuilt, how the answer goes back
// unchanged, tunnels, upgrades, and the pages a reader sees when nothing could be
// found. GET and HEAD are asked of a Resolver; everything else goes straight to
// the origin.
//
// It does no harm (N5): a healthy origin's answer has the status, the fields
// (hop-by-hop ones aside), the body and the trailers it has without the proxy. It
// knows no cache, no peer, no tracker, no trust rule and no command line, and it
// opens no connection but through Config.Dial.
//
//	browser --bytes--> gate (strict scanner) --> net/http --> Server
//	                                                            |-- GET, HEAD -----> Resolver
//	                                                            |-- other methods -> origin
//	                                                            |-- CONNECT, 101 --> tunnel
//	                                                            `-- origin-form ---> /proxy.pac, help
package proxy
