package mem

import (
	"strings"
	"testing"
)

func TestTree(t *testing.T) {
	system := NewContainer("system", 0)
	ram := NewRAM("pc.ram", 0x10000)
	system.Add(0, NewAlias("ram-below-4g", ram, 0, 0x8000))
	pci := NewContainer("pci", 0)
	pci.Add(0xfffc0000, NewROM("pc.bios", 0x40000, nil))
	system.Add(0, pci, -1)
	vga := NewIO("vga-lowmem", 0x1000, Handlers{})
	system.Add(0x4000, vga, 1)
	off := NewIO("hole", 0x10, Handlers{})
	system.Add(0x4000, off, 2)
	off.Enable(false)
	s := NewSpace("memory", system, nil)

	const want = `address-space: memory
  0000000000000000-ffffffffffffffff (prio 0, i/o): system
    0000000000000000-0000000000007fff (prio 0, ram): alias ram-below-4g @pc.ram 0000000000000000-0000000000007fff
    0000000000000000-ffffffffffffffff (prio -1, i/o): pci
      00000000fffc0000-00000000ffffffff (prio 0, rom): pc.bios
    0000000000004000-0000000000004fff (prio 1, i/o): vga-lowmem

memory-region: pc.ram
  0000000000000000-000000000000ffff (prio 0, ram): pc.ram

`
	var b strings.Builder
	if s.Tree(&b, false); b.String() != want {
		t.Errorf("%s", b.String())
	}
	b.Reset()
	if s.Tree(&b, true); !strings.Contains(b.String(), "000000000000400f (prio 2, i/o): hole [disabled]\n") {
		t.Errorf("%s", b.String())
	}
	const flat = ` AS "memory", root: system
 Root memory region: system
  0000000000000000-0000000000003fff (prio 0, ram): pc.ram
  0000000000004000-0000000000004fff (prio 1, i/o): vga-lowmem
  0000000000005000-0000000000007fff (prio 0, ram): pc.ram @0000000000005000
  00000000fffc0000-00000000ffffffff (prio 0, rom): pc.bios
`
	b.Reset()
	if s.Flat(&b); b.String() != flat {
		t.Errorf("%s", b.String())
	}
	vga.SetAccess(W)
	b.Reset()
	if s.Flat(&b); !strings.Contains(b.String(), "system (reads)") || !strings.Contains(b.String(), "system (writes)") {
		t.Errorf("%s", b.String())
	}
	b.Reset()
	if NewSpace("none", NewContainer("", 0), nil).Flat(&b); !strings.Contains(b.String(), "No rendered FlatView") {
		t.Errorf("%s", b.String())
	}
}

func TestMapped(t *testing.T) {
	root := NewContainer("root", 0)
	root.Add(0x1000, NewRAM("a", 0x1000))
	root.Add(0x2000, NewRAM("b", 0x1000))
	s := NewSpace("s", root, nil)
	for _, c := range []struct {
		addr, last uint64
		ok         bool
	}{{0, 0xfff, false}, {0x1800, 0x1fff, true}, {0x2000, 0x2fff, true}, {0x3000, ^uint64(0), false}} {
		if last, ok := s.Mapped(c.addr); last != c.last || ok != c.ok {
			t.Errorf("%#x: %#x, %v", c.addr, last, ok)
		}
	}
}
