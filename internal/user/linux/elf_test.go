package linux

import (
	"bytes"
	"encoding/binary"
	"os"
	"testing"
)

// FuzzImage: no ELF file makes the reader panic, nor believe what cannot be.
func FuzzImage(f *testing.F) {
	for _, name := range []string{"/proc/self/exe", "/work/shared/guests/user/gkbench-i386", "/work/shared/guests/user/gkbench-x86_64", "/work/shared/guests/user/busybox-ppc32"} {
		if b, err := os.ReadFile(name); err == nil {
			f.Add(b[:min(len(b), 1024)])
		}
	}
	f.Add([]byte("\x7fELF\x01\x01\x01"))
	f.Add(program(t32, 8, 0x8048000, 100))
	f.Fuzz(func(t *testing.T, b []byte) {
		im, err := readImage(bytes.NewReader(b))
		if err != nil {
			return
		}
		lo, hi := im.bounds()
		if len(im.segments) == 0 || lo >= hi && hi != 0 {
			t.Errorf("segments %+v, from %#x to %#x", im.segments, lo, hi)
		}
		for i, s := range im.segments {
			if s.filesz > s.memsz || i > 0 && im.segments[i-1].vaddr+im.segments[i-1].memsz > s.vaddr {
				t.Errorf("segment %d of %+v", i, im.segments)
			}
		}
		for _, a := range ABIs() {
			im.fits(a)
		}
	})
}

const t32 = 2 // ET_EXEC

// program is an ELF file of 32 bits with one segment.
func program(typ uint16, machine byte, vaddr, memsz uint32) []byte {
	le := binary.LittleEndian
	b := make([]byte, 52+32)
	copy(b, "\x7fELF\x01\x01\x01")
	le.PutUint16(b[16:], typ)
	b[18] = machine
	le.PutUint32(b[28:], 52)
	le.PutUint16(b[42:], 32)
	le.PutUint16(b[44:], 1)
	p := b[52:]
	le.PutUint32(p, ptLoad)
	le.PutUint32(p[8:], vaddr)
	le.PutUint32(p[20:], memsz)
	le.PutUint32(p[24:], 7)
	return b
}

// program64 is one of 64 bits.
func program64(typ uint16, machine byte, vaddr, memsz uint64) []byte {
	le := binary.LittleEndian
	b := make([]byte, 64+56)
	copy(b, "\x7fELF\x02\x01\x01")
	le.PutUint16(b[16:], typ)
	b[18] = machine
	le.PutUint64(b[32:], 64)
	le.PutUint16(b[54:], 56)
	le.PutUint16(b[56:], 1)
	p := b[64:]
	le.PutUint32(p, ptLoad)
	le.PutUint32(p[4:], 7)
	le.PutUint64(p[16:], vaddr)
	le.PutUint64(p[40:], memsz)
	return b
}

func TestFits(t *testing.T) {
	for _, c := range []struct {
		b    []byte
		want string
	}{
		{program(2, 3, 0x8048000, 100), ""},
		{program(2, 40, 0x8048000, 100), "a program for arm, which is not supported; those for i386 and x86_64 are"},
		{program(2, 62, 0x8048000, 100), "a program for x32, which is not supported; those for i386 and x86_64 are"},
		{program64(2, 62, 0x400000, 100), "a program for x86_64, not for i386"},
		{program(2, 3, 0xffffd000, 0x2000), "ELF segments end at 0xfffff000, beyond the addresses of i386"},
		{program(1, 3, 0x8048000, 100), "ELF type 1 is no program"},
		{program(2, 3, 0x8048123, 100), "ELF segment at 0x8048123 makes no sense"},
	} {
		im, err := readImage(bytes.NewReader(c.b))
		if err == nil {
			err = im.fits(i386())
		}
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

func TestLayout(t *testing.T) {
	s := newStructures(i386())
	for _, c := range []struct {
		name        string
		host, guest int
	}{
		// From the kernel's headers: asm/stat.h, asm-generic/statfs.h, linux/…
		{"stat", 144, 64}, {"stat64", 144, 96}, {"statfs", 120, 64}, {"statfs64", 120, 84}, {"timespec", 16, 8}, {"timespec64", 16, 16},
		{"rusage", 144, 72}, {"sysinfo", 112, 64}, {"flock", 32, 16}, {"flock64", 32, 24}, {"msghdr", 56, 28}, {"iovec", 16, 8},
		{"sigevent", 64, 64}, {"timex", 208, 128}, {"ifreq", 40, 32}, {"mmsghdr", 64, 32}, {"epoll_event", 12, 12}, {"cmsghdr", 16, 12},
	} {
		x := s.of(c.name)
		if x.host.size != c.host || x.guest.size != c.guest {
			t.Errorf("%s has %d bytes, and %d of i386; want %d and %d", c.name, x.host.size, x.guest.size, c.host, c.guest)
		}
	}
	for _, a := range ABIs() {
		for name := range a.layouts {
			if _, ok := hostLayouts()[name]; !ok {
				t.Errorf("%s has a layout %s that the host has not", a.Name, name)
			}
		}
	}
}

// A big-endian processor with longs of 32 bits: values survive both ways.
func TestOrder(t *testing.T) {
	host := newLayout("a:l b:u -:s c:q d:s e:a[3]", 8, 8, binary.LittleEndian)
	guest := newLayout("d:s a:l c:q e:a[3] b:u", 4, 8, binary.BigEndian)
	h := make([]byte, host.size)
	host.set(h, "a", ^uint64(4))
	host.set(h, "b", 0x89abcdef)
	host.set(h, "c", 1<<40|7)
	host.set(h, "d", 0x1234)
	copy(h[host.find("e").off:], "xyz")
	g := make([]byte, guest.size)
	newConversion(host, guest).do(g, h)
	if want := []byte("\x12\x34\x00\x00\xff\xff\xff\xfb\x00\x00\x01\x00\x00\x00\x00\x07xyz\x00\x89\xab\xcd\xef"); !bytes.Equal(g, want) {
		t.Errorf("%x, want %x", g, want)
	}
	back := make([]byte, host.size)
	newConversion(guest, host).do(back, g)
	if !bytes.Equal(back, h) {
		t.Errorf("%x, want %x", back, h)
	}
}

func TestTable(t *testing.T) {
	for _, a := range ABIs() {
		if _, err := parseTable(a.text); err != nil {
			t.Errorf("%s: %v", a.Name, err)
		}
	}
	for _, bad := range []string{"1 x", "x y pass", "1 x pass nonsense", "1 x part int", "1 x pass ; reason", "1 x pass\n1 y pass", "1 x pass out:q"} {
		if _, err := parseTable(bad); err == nil {
			t.Errorf("%q is taken for a table", bad)
		}
	}
}
