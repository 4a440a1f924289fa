package lab

import (
	"bytes"
	"encoding/xml"
	"io"
	"math"
	"reflect"
	"strings"
	"testing"
)

// TestPlot: the picture is well-formed, names what it shows, and leaves out what did not
// stabilise.
func TestPlot(t *testing.T) {
	results := []Result{{Rate: 8, Mean: 3, Stable: true}, {Rate: 1, Mean: 2, Stable: true}, {Rate: 32, Mean: 90}}
	p := Plot{Title: "a < b & c", XLabel: "rate", YLabel: "s", Series: []Series{
		SeriesOf("one", results, func(r Result) float64 { return r.Mean }),
		{Name: "bound", X: []float64{1, 32}, Y: []float64{1.3, 1.3}, Dashed: true}}}
	if y := p.Series[0].Y; y[0] != 2 || y[1] != 3 || !math.IsNaN(y[2]) {
		t.Errorf("series %v", y)
	}
	svg := p.SVG()
	for d := xml.NewDecoder(bytes.NewReader(svg)); ; {
		if _, err := d.Token(); err == io.EOF {
			break
		} else if err != nil {
			t.Fatalf("%v in\n%s", err, svg)
		}
	}
	for _, want := range []string{"a &lt; b &amp; c", ">one<", ">bound<", ">32<", "stroke-dasharray"} {
		if !bytes.Contains(svg, []byte(want)) {
			t.Errorf("%q is missing", want)
		}
	}
	if n := bytes.Count(svg, []byte("<circle")); n != 2 {
		t.Errorf("%d points, want 2", n)
	}
}

// TestTablesAreReadBack: what WriteCSV writes ReadCSV reads.
func TestTablesAreReadBack(t *testing.T) {
	want := []Result{
		{System: "a", Wire: "kcp", Case: "all, \"at once\"", Kbps: 800, Size: 1 << 40, Rate: 0.25, Seed: 1 << 63, Readers: 7, Done: 6, Stable: true, Mean: 1.25, P95: 3, Pool: 9, Failure: "a, b", Real: 2.5, State: "0a1b"},
		{System: "b", Free: 2.5, Honest: 1.5},
	}
	for i := range want { // one run is its own median
		r := &want[i]
		r.Runs, r.MeanLow, r.MeanHigh, r.P95Low, r.P95High = 1, r.Mean, r.Mean, r.P95, r.P95
	}
	var b bytes.Buffer
	if err := WriteCSV(&b, want); err != nil {
		t.Fatal(err)
	}
	got, err := ReadCSV(bytes.NewReader(b.Bytes()))
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("read %+v, %v\nwant %+v", got, err, want)
	}
	if _, err := ReadCSV(strings.NewReader("system,wrong\na,b\n")); err == nil {
		t.Error("a table with other columns was read")
	}
}
