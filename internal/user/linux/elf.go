package linux

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// segment is a program header of an ELF file that is loaded.
type segment struct {
	off, vaddr, filesz, memsz uint64
	r, w, x                   bool
}

// image is what an ELF file says of itself.
type image struct {
	machine  uint16
	class    byte
	order    binary.ByteOrder
	dynamic  bool // ET_DYN
	entry    uint64
	phoff    uint64
	phnum    int
	phentsz  int
	segments []segment
	interp   string
	// execStack: the program wants an executable stack, or says nothing.
	execStack bool
}

// ELF (gABI, "Object Files"): header, program headers.
const (
	etExec = 2
	etDyn  = 3

	ptLoad     = 1
	ptInterp   = 3
	ptGNUStack = 0x6474e551

	maxHeaders = 512
	maxInterp  = 4096
)

var errNotELF = errors.New("not an ELF file")

// machineName is that of the processor, of those that people are likely to try.
func (im *image) machineName() string {
	m := im.machine
	if m == 62 && im.class == 1 {
		return "x32"
	}
	names := map[uint16]string{2: "sparc", 3: "i386", 8: "mips", 18: "sparc32plus", 20: "ppc", 21: "ppc64", 22: "s390x", 40: "arm", 42: "sh4",
		43: "sparc64", 62: "x86_64", 183: "aarch64", 243: "riscv", 258: "loongarch64", 4: "m68k", 0x9026: "alpha"}
	if n := names[m]; n != "" {
		return n
	}
	return fmt.Sprintf("machine %d", m)
}

// readImage reads the headers of an ELF file. It believes none of them.
func readImage(r io.ReaderAt) (*image, error) {
	var h [64]byte
	n, err := r.ReadAt(h[:], 0)
	if n < 4 || string(h[:4]) != "\x7fELF" {
		return nil, errNotELF
	}
	if n < 52 {
		return nil, fmt.Errorf("ELF header is truncated: %d bytes", n)
	}
	if err != nil && err != io.EOF {
		return nil, err
	}
	im := &image{class: h[4], execStack: true}
	switch h[5] {
	case 1:
		im.order = binary.LittleEndian
	case 2:
		im.order = binary.BigEndian
	default:
		return nil, fmt.Errorf("ELF header: byte order %d", h[5])
	}
	o := im.order
	typ := o.Uint16(h[16:])
	im.machine = o.Uint16(h[18:])
	switch typ {
	case etExec:
	case etDyn:
		im.dynamic = true
	default:
		return nil, fmt.Errorf("ELF type %d is no program", typ)
	}
	size := 32
	switch im.class {
	case 1:
		im.entry, im.phoff = uint64(o.Uint32(h[24:])), uint64(o.Uint32(h[28:]))
		im.phentsz, im.phnum = int(o.Uint16(h[42:])), int(o.Uint16(h[44:]))
	case 2:
		if n < 64 {
			return nil, fmt.Errorf("ELF header is truncated: %d bytes", n)
		}
		im.entry, im.phoff = o.Uint64(h[24:]), o.Uint64(h[32:])
		im.phentsz, im.phnum = int(o.Uint16(h[54:])), int(o.Uint16(h[56:]))
		size = 56
	default:
		return nil, fmt.Errorf("ELF header: class %d", im.class)
	}
	if im.phentsz != size {
		return nil, fmt.Errorf("ELF header: program headers of %d bytes, not %d", im.phentsz, size)
	}
	if im.phnum == 0 || im.phnum > maxHeaders || im.phoff > 1<<40 {
		return nil, fmt.Errorf("ELF header: %d program headers at %#x", im.phnum, im.phoff)
	}
	b := make([]byte, size*im.phnum)
	if _, err := r.ReadAt(b, int64(im.phoff)); err != nil {
		return nil, fmt.Errorf("ELF program headers at %#x are truncated", im.phoff)
	}
	for ; len(b) > 0; b = b[size:] {
		if err := im.header(r, b); err != nil {
			return nil, err
		}
	}
	if len(im.segments) == 0 {
		return nil, errors.New("ELF file has nothing to load")
	}
	return im, nil
}

// header takes a program header.
func (im *image) header(r io.ReaderAt, b []byte) error {
	o := im.order
	var s segment
	var flags uint32
	typ := o.Uint32(b)
	if im.class == 1 {
		w := func(i int) uint64 { return uint64(o.Uint32(b[4*i:])) }
		s = segment{off: w(1), vaddr: w(2), filesz: w(4), memsz: w(5)}
		flags = o.Uint32(b[24:])
	} else {
		w := func(i int) uint64 { return o.Uint64(b[8*i:]) }
		s = segment{off: w(1), vaddr: w(2), filesz: w(4), memsz: w(5)}
		flags = o.Uint32(b[4:])
	}
	s.x, s.w, s.r = flags&1 != 0, flags&2 != 0, flags&4 != 0
	switch typ {
	case ptLoad:
		if s.memsz == 0 {
			return nil
		}
		if s.filesz > s.memsz || s.vaddr+s.memsz < s.vaddr || s.off+s.filesz < s.off || (s.off^s.vaddr)&0xfff != 0 {
			return fmt.Errorf("ELF segment at %#x makes no sense", s.vaddr)
		}
		if n := len(im.segments); n > 0 && im.segments[n-1].vaddr+im.segments[n-1].memsz > s.vaddr {
			return fmt.Errorf("ELF segment at %#x overlaps the one before", s.vaddr)
		}
		im.segments = append(im.segments, s)
	case ptInterp:
		if s.filesz < 2 || s.filesz > maxInterp {
			return fmt.Errorf("ELF interpreter's name has %d bytes", s.filesz)
		}
		name := make([]byte, s.filesz)
		if _, err := r.ReadAt(name, int64(s.off&(1<<62-1))); err != nil || name[len(name)-1] != 0 {
			return errors.New("ELF interpreter's name is truncated")
		}
		im.interp = string(name[:len(name)-1])
	case ptGNUStack:
		im.execStack = s.x
	}
	return nil
}

// bounds is the range of addresses of the segments, in whole pages.
func (im *image) bounds() (lo, hi uint64) {
	last := im.segments[len(im.segments)-1]
	return im.segments[0].vaddr &^ 0xfff, (last.vaddr + last.memsz + 0xfff) &^ 0xfff
}

func (im *image) isFor(a *ABI) bool {
	return im.machine == a.Machine && im.class == a.Class && im.order == a.Order
}

// supported reports whether there is an ABI for the image.
func (im *image) supported() bool { return slices.ContainsFunc(ABIs(), im.isFor) }

// fits says why the image is not one for an ABI.
func (im *image) fits(a *ABI) error {
	if !im.isFor(a) {
		if im.supported() {
			return fmt.Errorf("a program for %s, not for %s", im.machineName(), a.Name)
		}
		var names []string
		for _, a := range ABIs() {
			names = append(names, a.Name)
		}
		return fmt.Errorf("a program for %s, which is not supported; those for %s are", im.machineName(), strings.Join(names, " and "))
	}
	if _, hi := im.bounds(); hi > a.Top || hi == 0 {
		return fmt.Errorf("ELF segments end at %#x, beyond the addresses of %s", hi, a.Name)
	}
	return nil
}
