// Package lab owns the experiments: the paper's own evaluation and what goes
// beyond it, with real code on emulated hosts (internal/simnet) in virtual time. It
// knows every system it compares through one small interface, and the bounds
// that no system can beat.
package lab
