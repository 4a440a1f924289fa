package browser

import (
	"bytes"
	"image/png"
	"os"
	"testing"
	"time"
)

// view looks at the viewer's page. With NT_SCREENSHOT it is written to that file.
func view(t *testing.T, w *world, admin, url string) {
	t.Helper()
	c := startChromium(t, w.home)
	c.load("http://" + admin + "/view/" + url)
	if bad := c.complaints(); len(bad) > 0 {
		t.Logf("the viewer's console says %q", bad) // scripts of the copy do not run, and the console says so
	}
	shot, missing := []byte(nil), []string{"anything"}
	for end := time.Now().Add(20 * time.Second); len(missing) > 0 && time.Now().Before(end); { // it may not be painted yet
		shot = c.screenshot()
		missing = unpainted(t, shot)
	}
	for _, what := range missing {
		t.Errorf("the viewer shows no %s", what)
	}
	if file := os.Getenv("NT_SCREENSHOT"); file != "" {
		if err := os.WriteFile(file, shot, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// unpainted returns what of the banner and the copy a picture of the viewer does not show.
func unpainted(t *testing.T, shot []byte) (missing []string) {
	t.Helper()
	img, err := png.Decode(bytes.NewReader(shot))
	if err != nil {
		t.Fatal(err)
	}
	colours := map[[3]uint32]bool{}
	for y := img.Bounds().Min.Y; y < img.Bounds().Max.Y; y += 4 {
		for x := img.Bounds().Min.X; x < img.Bounds().Max.X; x += 4 {
			r, g, b, _ := img.At(x, y).RGBA()
			colours[[3]uint32{r >> 8, g >> 8, b >> 8}] = true
		}
	}
	for what, want := range map[string][3]uint32{"banner": {0x7a, 0x4a, 0}, "first paragraph's mark": {195, 34, 34}} {
		if !colours[want] {
			missing = append(missing, what)
		}
	}
	return missing
}
