package linux

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzLoad: no program file makes the loader panic, map what is not the guest's, or
// say more than a line.
func FuzzLoad(f *testing.F) {
	for _, b := range hostile() {
		f.Add(b)
	}
	dir := f.TempDir()
	spaces := map[string]*space{}
	for _, a := range ABIs() {
		sp, _, err := newSpace(a, 0)
		if err != nil {
			f.Fatal(err)
		}
		spaces[a.Name] = sp
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 1<<17 {
			return
		}
		if err := os.WriteFile(filepath.Join(dir, "x"), b, 0o755); err != nil {
			t.Fatal(err)
		}
		for _, a := range ABIs() {
			loads(t, a, spaces[a.Name], dir)
		}
	})
}

// loads loads the program x of a directory, which is also where interpreters are
// looked for, into a space that it leaves empty.
func loads(t *testing.T, a *ABI, sp *space, dir string) {
	p := &Process{cfg: Config{ABI: a, Path: "/x", Args: []string{"/x", "argument"}, Env: []string{"A=B"}, Sysroot: dir, ExecFD: -1}, abi: a}
	p.kind = guestKinds()[a.Name]
	model, err := p.kind.model(a.CPU)
	if err != nil {
		t.Fatal(err)
	}
	p.model = model
	p.sp = sp
	defer func() {
		for len(sp.maps) > 0 {
			if errno := sp.release(sp.maps[0].lo, sp.maps[0].hi); errno != 0 {
				t.Fatal(errno)
			}
		}
	}()
	fds := openFiles(t)
	_, stack, err := p.load()
	if n := openFiles(t); n != fds {
		t.Errorf("%s: %d descriptors, %d before", a.Name, n, fds)
	}
	for i, m := range sp.maps {
		if m.lo >= m.hi || m.hi > sp.limit || (m.lo|m.hi)&pageMask != 0 || i > 0 && sp.maps[i-1].hi > m.lo {
			t.Errorf("%s: mappings %x", a.Name, sp.maps)
		}
	}
	if err != nil {
		var e *ExecError
		if !errors.As(err, &e) || strings.ContainsAny(err.Error(), "\n\x00") {
			t.Errorf("%s: %q", a.Name, err)
		}
		return
	}
	if b := sp.writable(stack, uint64(a.Long)); b == nil || a.Order.Uint32(b) != 2 {
		t.Errorf("%s: the stack at %#x has no number of arguments", a.Name, stack)
	}
	if sp.brk0 > sp.limit {
		t.Errorf("%s: brk at %#x", a.Name, sp.brk0)
	}
}

func openFiles(t *testing.T) int {
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip(err)
	}
	return len(list)
}

// elfHeader is a program header of hostile programs.
type elfHeader struct {
	typ, flags                uint32
	off, vaddr, filesz, memsz uint64
}

// elfFile is an ELF file of a class with program headers, and data behind them.
func elfFile(class int, typ uint16, headers []elfHeader, data string) []byte {
	le := binary.LittleEndian
	size, each, machine := 52, 32, byte(3)
	if class == 2 {
		size, each, machine = 64, 56, 62
	}
	b := make([]byte, size+each*len(headers))
	copy(b, "\x7fELF\x00\x01\x01")
	b[4], b[18] = byte(class), machine
	le.PutUint16(b[16:], typ)
	if class == 2 {
		le.PutUint64(b[24:], 0x400000)
		le.PutUint64(b[32:], uint64(size))
		le.PutUint16(b[54:], uint16(each))
		le.PutUint16(b[56:], uint16(len(headers)))
	} else {
		le.PutUint32(b[24:], 0x400000)
		le.PutUint32(b[28:], uint32(size))
		le.PutUint16(b[42:], uint16(each))
		le.PutUint16(b[44:], uint16(len(headers)))
	}
	for i, h := range headers {
		p := b[size+i*each:]
		le.PutUint32(p, h.typ)
		if class == 2 {
			le.PutUint32(p[4:], h.flags)
			for k, v := range []uint64{h.off, h.vaddr, 0, h.filesz, h.memsz} {
				le.PutUint64(p[8+8*k:], v)
			}
			continue
		}
		for k, v := range []uint64{h.off, h.vaddr, 0, h.filesz, h.memsz, uint64(h.flags)} {
			le.PutUint32(p[4+4*k:], uint32(v))
		}
	}
	return append(b, data...)
}

// hostile are programs that are wrong in ways that loaders trip over, of both
// classes.
func hostile() (list [][]byte) {
	const base = 0x400000
	for class := 1; class <= 2; class++ {
		top := ABIs()[class-1].Top
		text := elfHeader{typ: ptLoad, flags: 5, vaddr: base, filesz: 0x100, memsz: 0x100}
		at := uint64(52 + 2*32)
		if class == 2 {
			at = 64 + 2*56
		}
		interp := elfHeader{typ: ptInterp, off: at, filesz: 3, memsz: 3}
		pad := strings.Repeat("\xcc", 0x2000)
		for _, h := range [][]elfHeader{
			{text},
			{text, interp}, // the interpreter is the program
			{{typ: ptLoad, flags: 5, vaddr: base, filesz: 0x100, memsz: top / 3}, interp},
			{text, {typ: ptLoad, flags: 6, off: 0x1000, vaddr: base + 0x1000, filesz: 0x234, memsz: 0x5678}},
			{text, {typ: ptLoad, flags: 6, off: 0x1080, vaddr: base + 0x80, filesz: 0x10, memsz: 0x10}},                        // overlaps
			{text, {typ: ptLoad, flags: 6, off: 0x1100, vaddr: base + 0x100, filesz: 0x10, memsz: 0x10}},                       // in the same page
			{text, {typ: ptLoad, flags: 4, off: 0x1800, vaddr: base + 0x3800, filesz: 0x100, memsz: 0x200}},                    // bss of what is not writable
			{text, {typ: ptLoad, flags: 6, off: 0x1000, vaddr: base + 0x1000, filesz: 0x2000, memsz: 0x2001}},                  // longer than the file
			{text, {typ: ptLoad, flags: 6, off: 0x100000, vaddr: base + 0x1000, filesz: 0x2000, memsz: 0x8000}},                // behind the file
			{text, {typ: ptLoad, flags: 6, off: 0x1000, vaddr: base + 0x1000, filesz: 0x20, memsz: top - base}},                // all there is
			{text, {typ: ptLoad, flags: 6, off: 0, vaddr: top - 0x2000, filesz: 0x20, memsz: 0x2000}},                          // where the stack is
			{text, {typ: ptLoad, flags: 6, off: 0, vaddr: ^uint64(0xfff), filesz: 0x20, memsz: 0x1000}},                        // ends at 0
			{{typ: ptLoad, flags: 7, filesz: 0x20, memsz: 0x1000}, text},                                                       // at 0
			{{typ: ptLoad, flags: 7, vaddr: 0x1000, filesz: 0x20, memsz: 0x1000}, text},                                        // below what is allowed
			{{typ: ptLoad, flags: 0, vaddr: base, filesz: 0x100, memsz: 0x3000}, {typ: ptGNUStack}},                            // not to be accessed
			{{typ: ptLoad, flags: 2, vaddr: base, memsz: 1 << 30}, {typ: 4, off: 1 << 60, filesz: 1 << 60, memsz: ^uint64(0)}}, // notes
			{text, {typ: ptInterp, off: ^uint64(0), filesz: 100}},
			{text, {typ: ptLoad, flags: 6, off: 1<<63 - 0x1000, vaddr: base + 0x1000, filesz: 0x1000, memsz: 0x1000}},
		} {
			for _, typ := range []uint16{etExec, etDyn} {
				b := elfFile(class, typ, h, "/x\x00"+pad)
				list = append(list, b)
			}
		}
		whole := elfFile(class, etExec, []elfHeader{text, interp}, "/x\x00"+pad)
		for _, n := range []int{0, 3, 4, 16, 51, 52, 63, 64, 84, 100, 120, int(at), int(at) + 2, 0x80, 0x100} {
			list = append(list, whole[:n])
		}
	}
	list = append(list, []byte("#!/x\n"), []byte("#! /x a b\n"), []byte("#!\n"), []byte("#!"), []byte("#!/\x00\n"), []byte("#!x"+strings.Repeat("y", 300)))
	return list
}
