package blkdebug

import (
	"errors"
	"strings"
	"syscall"
	"testing"

	"rhea/internal/block"
)

func TestRules(t *testing.T) {
	var r Rules
	err := r.Parse(strings.NewReader(`
# one bad sector, a full disk after the first flush
[inject-error]
event = "read_aio"
sector = "7"

[inject-error]
event = "write_aio"
errno = "28"
state = "2"
once = "on"

[inject-error]
event = "none"
iotype = "discard"
errno = "95"
immediately = "on"

[set-state]
event = "flush_to_disk"
state = "1"
new_state = "2"
`))
	if err != nil {
		t.Fatal(err)
	}
	i := New(r)
	for n, c := range []struct {
		op   block.Op
		off  int64
		n    int
		want error
	}{
		{block.Read, 0, 7 * 512, nil},
		{block.Read, 0, 7*512 + 1, syscall.EIO},
		{block.Read, 8*512 - 1, 1, syscall.EIO},
		{block.Read, 8 * 512, 512, nil},
		{block.Write, 7 * 512, 512, nil},
		{block.Flush, 0, 0, nil},
		{block.Write, 0, 512, syscall.ENOSPC},
		{block.Write, 0, 512, nil},
		{block.Read, 7 * 512, 1, syscall.EIO},
	} {
		if err := i.Check(c.op, c.off, c.n); !errors.Is(err, c.want) {
			t.Errorf("access %d: %v, want %v", n, err, c.want)
		}
	}
	if err := i.Check(block.Discard, 0, 512); err == nil || err.Error() != "error 95" {
		t.Errorf("discard: %v", err)
	}
	if err := New(r).Check(block.Write, 0, 512); err != nil {
		t.Errorf("another injector of the same rules is in another state: %v", err)
	}
}

func TestBadRules(t *testing.T) {
	for text, want := range map[string]string{
		"event = \"read_aio\"":                          "line 1",
		"[inject]":                                      "inject-error",
		"[inject-error]\nevent = \"l1_update\"":         "l1_update",
		"[inject-error]\nsector = \"x\"":                "sector: 'x'",
		"[inject-error]\nonce = \"1\"":                  "once",
		"[set-state]\nerrno = \"5\"":                    "no key 'errno'",
		"[inject-error]\n\nsector = \"5\"":              "no event",
		"[inject-error]\nevent=read_aio\niotype=\"r\"":  "iotype 'r'",
		"[inject-error]\nevent=read_aio\nnonsense":      "line 3",
		"[set-state]\nstate=\"1\"\n[inject-error]\nx=1": "line 3: a rule has no event",
	} {
		var r Rules
		if err := r.Parse(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}
