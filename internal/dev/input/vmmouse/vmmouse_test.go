package vmmouse

import (
	"testing"

	"rhea/internal/dev"
	"rhea/internal/dev/devtest"
)

func build(b *devtest.Bench) dev.Device {
	m := New(Config{Env: b.Env(), RAM: 64 << 20})
	b.Verb("call", func(a []uint64) uint64 {
		r := Regs{EAX: Magic, EBX: uint32(a[1]), ECX: uint32(a[0])}
		m.Call(&r)
		return uint64(r.EAX)
	})
	b.Verb("point", func(a []uint64) uint64 { m.Point(int(int16(a[0])), int(int16(a[1]))); return 0 })
	b.Verb("buttons", func(a []uint64) uint64 { m.SetButtons(uint8(a[0])); return 0 })
	b.Verb("wheel", func(a []uint64) uint64 { m.Move(0, 0, int(int8(a[0]))); return 0 })
	return m
}

func TestConform(t *testing.T) { devtest.Conform(t, build) }
func FuzzVMMouse(f *testing.F) { devtest.Fuzz(f, build) }

// TestDriver talks as the driver of X.Org does.
func TestDriver(t *testing.T) {
	nudges := 0
	m := New(Config{Nudge: func() { nudges++ }})
	call := func(cmd, arg uint32) Regs {
		r := Regs{EAX: Magic, EBX: arg, ECX: cmd}
		if !m.Call(&r) {
			t.Fatal("no answer")
		}
		return r
	}
	if r := call(cmdVersion, 0xffffffff); r.EAX != 6 || r.EBX != Magic {
		t.Fatalf("version %+v", r)
	}
	if r := call(cmdStatus, 0); r.EAX != noDevice {
		t.Errorf("status before it is enabled: %#x", r.EAX)
	}
	call(cmdCommand, commandReadID)
	if r := call(cmdStatus, 0); r.EAX&0xffff != 1 {
		t.Errorf("status %#x", r.EAX)
	}
	if r := call(cmdData, 1); r.EAX != 0x3442554a {
		t.Errorf("ID %#x", r.EAX)
	}
	m.Point(5, 5)
	if m.Absolute() || nudges != 0 {
		t.Error("places were told before they were asked for")
	}
	call(cmdCommand, commandAbsolute)
	m.Point(0x7fff, 0x1000)
	m.SetButtons(1 | 4)
	m.Move(3, 3, -2)
	if nudges != 3 || !m.Absolute() {
		t.Errorf("%d nudges", nudges)
	}
	if r := call(cmdStatus, 0); r.EAX != 12 {
		t.Errorf("%d words", r.EAX)
	}
	if r := call(cmdData, 4); r.EAX != 0 || r.EBX != 0xfffe || r.ECX != 0x2000 || r.EDX != 0 {
		t.Errorf("place %+v", r)
	}
	if r := call(cmdData, 4); r.EAX != left|middle {
		t.Errorf("buttons %+v", r)
	}
	if r := call(cmdData, 4); int32(r.EDX) != -2 {
		t.Errorf("wheel %+v", r)
	}
	// More than there is, or than there are registers.
	for _, n := range []uint32{1, 0, 7, 0xffffffff} {
		if r := call(cmdData, n); r.EAX != noDevice {
			t.Errorf("%d words: %#x", n, r.EAX)
		}
	}
	for range 10_000 {
		m.Point(1, 1)
	}
	if r := call(cmdStatus, 0); r.EAX > maxWords {
		t.Errorf("%d words wait", r.EAX)
	}
	if r := (Regs{EAX: 1, ECX: cmdVersion}); m.Call(&r) {
		t.Error("an answer without the magic number")
	}
}
