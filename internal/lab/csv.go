package lab

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
)

// column is one figure of a table: how it is written and read.
type column struct {
	name string
	ref  func(r *Result) any // *string, *int, *int64, *uint64, *bool or *float64
}

func columns() []column {
	return []column{
		{"system", func(r *Result) any { return &r.System }},
		{"wire", func(r *Result) any { return &r.Wire }},
		{"case", func(r *Result) any { return &r.Case }},
		{"kbps", func(r *Result) any { return &r.Kbps }},
		{"size", func(r *Result) any { return &r.Size }},
		{"rate", func(r *Result) any { return &r.Rate }},
		{"seed", func(r *Result) any { return &r.Seed }},
		{"readers", func(r *Result) any { return &r.Readers }},
		{"done", func(r *Result) any { return &r.Done }},
		{"stable", func(r *Result) any { return &r.Stable }},
		{"mean_s", func(r *Result) any { return &r.Mean }},
		{"p95_s", func(r *Result) any { return &r.P95 }},
		{"worst_s", func(r *Result) any { return &r.Worst }},
		{"bound_s", func(r *Result) any { return &r.Bound }},
		{"received_per_byte", func(r *Result) any { return &r.Received }},
		{"seed_share", func(r *Result) any { return &r.SeedShare }},
		{"honest_s", func(r *Result) any { return &r.Honest }},
		{"free_s", func(r *Result) any { return &r.Free }},
		{"pool", func(r *Result) any { return &r.Pool }},
		{"failure", func(r *Result) any { return &r.Failure }},
		{"real_s", func(r *Result) any { return &r.Real }},
		{"state", func(r *Result) any { return &r.State }},
	}
}

// WriteCSV writes a table of runs, one a row.
func WriteCSV(w io.Writer, results []Result) error {
	out := csv.NewWriter(w)
	var head []string
	for _, c := range columns() {
		head = append(head, c.name)
	}
	out.Write(head) // errors stay with the writer
	for _, r := range results {
		var row []string
		for _, c := range columns() {
			row = append(row, cell(c.ref(&r)))
		}
		out.Write(row)
	}
	out.Flush()
	return out.Error()
}

func cell(v any) string {
	switch v := v.(type) {
	case *string:
		return *v
	case *int:
		return strconv.Itoa(*v)
	case *int64:
		return strconv.FormatInt(*v, 10)
	case *uint64:
		return strconv.FormatUint(*v, 10)
	case *bool:
		return strconv.FormatBool(*v)
	default:
		return strconv.FormatFloat(*v.(*float64), 'g', 5, 64)
	}
}

// ReadCSV reads what WriteCSV wrote.
func ReadCSV(r io.Reader) ([]Result, error) {
	rows, err := csv.NewReader(r).ReadAll()
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	var all []Result
	for line, row := range rows[1:] {
		var r Result
		for i, c := range columns() {
			if i >= len(row) || rows[0][i] != c.name {
				return nil, fmt.Errorf("column %d is not %s", i+1, c.name)
			}
			if err := parse(row[i], c.ref(&r)); err != nil {
				return nil, fmt.Errorf("line %d, %s: %w", line+2, c.name, err)
			}
		}
		r.Runs, r.MeanLow, r.MeanHigh, r.P95Low, r.P95High = 1, r.Mean, r.Mean, r.P95, r.P95
		all = append(all, r)
	}
	return all, nil
}

func parse(s string, v any) (err error) {
	switch v := v.(type) {
	case *string:
		*v = s
	case *int:
		*v, err = strconv.Atoi(s)
	case *int64:
		*v, err = strconv.ParseInt(s, 10, 64)
	case *uint64:
		*v, err = strconv.ParseUint(s, 10, 64)
	case *bool:
		*v, err = strconv.ParseBool(s)
	case *float64:
		*v, err = strconv.ParseFloat(s, 64)
	}
	return err
}
