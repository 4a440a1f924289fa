// Package transporttest owns the conformance suite of the transport seam and
// what it needs: deterministic content, an in-memory Source and Sink, and
// neighbours that are partial, silent, dying or lying. A transport's test is
//
//	func TestConformance(t *testing.T) {
//		transporttest.Run(t, transporttest.Harness{Start: start})
//	}
//
// It knows no concrete transport. Nothing in it asserts how long something
// takes: silence is made by gates that a test opens, speed by counting bytes.
package transporttest
