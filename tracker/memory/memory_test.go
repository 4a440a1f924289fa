package memory

import (
	"testing"

	"nt/tracker"
	"nt/tracker/storetest"
)

func TestConformance(t *testing.T) {
	storetest.Run(t, func(*testing.T) tracker.Store { return New(Config{}) })
}
