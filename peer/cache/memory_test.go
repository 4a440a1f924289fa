package cache

import (
	"os"
	"testing"
)

// What is remembered of a file counts only while it is that file.
func TestMemoryFollowsTheFiles(t *testing.T) {
	c, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	e := entry(t, "http://example.org/a", "", 1_800_000_000)
	u := urlOf(t, e)
	for age := range int64(5) { // files of one length, written one right after the other
		e.Age = age + 1
		if err := c.Put(e); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if got := c.Get(u); len(got) != 1 || got[0].Age != age+1 {
				t.Fatalf("%d: %+v", age, got)
			}
		}
	}
	other := &Cache{dir: c.dir} // another process
	e.Age = 9
	if err := other.Put(e); err != nil {
		t.Fatal(err)
	}
	if got := c.Get(u); len(got) != 1 || got[0].Age != 9 {
		t.Fatalf("%+v", got)
	}
	path := c.path(e.Statement.Key, e.Encoding())
	if err := os.WriteFile(path, []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := c.Get(u); len(got) != 0 {
		t.Errorf("a damaged file is passed over: %+v", got)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if got := c.Get(u); len(got) != 0 {
		t.Errorf("a file that is gone: %+v", got)
	}
}
