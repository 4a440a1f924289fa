// Package browser owns the stories in which a real browser, Debian's Chromium, reads
// through real nt processes. Its browser is driven over the debugging pipe
// by a client of its own, a page long: a library for that is larger than nt's proxy.
package browser
