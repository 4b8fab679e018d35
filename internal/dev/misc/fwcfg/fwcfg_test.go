package fwcfg

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"

	"rhea/internal/mem"
	"rhea/internal/snap"
)

type bench struct {
	d       *Device
	io, mem *mem.Space
}

func newBench() *bench {
	root, io := mem.NewContainer("system", 0), mem.NewContainer("io", 0x10000)
	root.Add(0, mem.NewRAM("ram", 1<<20))
	b := &bench{io: mem.NewSpace("io", io, nil), mem: mem.NewSpace("memory", root, nil)}
	b.d = New(Config{DMA: b.mem})
	io.Add(0x510, b.d.Region())
	io.Add(0x514, b.d.DMARegion())
	return b
}

func (b *bench) get(key, n int) []byte {
	b.io.Write(0x510, 2, uint64(key))
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(b.io.Read(0x511, 1))
	}
	return p
}

func (b *bench) dma(control, length uint32, addr uint64) uint32 {
	var req [16]byte
	binary.BigEndian.PutUint32(req[0:], control)
	binary.BigEndian.PutUint32(req[4:], length)
	binary.BigEndian.PutUint64(req[8:], addr)
	b.mem.WriteBytes(0x1000, req[:])
	b.io.Write(0x514, 4, 0)
	b.io.Write(0x518, 4, 0x00100000) // 0x1000, big-endian
	b.mem.ReadBytes(0x1000, req[:])
	return binary.BigEndian.Uint32(req[:])
}

func TestItems(t *testing.T) {
	b := newBench()
	if s := b.get(Signature, 6); string(s) != "QEMU\x00\x00" {
		t.Errorf("signature %q", s)
	}
	if s := b.get(ID, 4); s[0] != 3 {
		t.Errorf("id %v", s)
	}
	if s := b.get(0x77, 2); s[0] != 0 {
		t.Errorf("absent item %v", s)
	}
	b.d.AddU32(RAMSize, 0x12345678)
	if s := b.get(RAMSize, 4); binary.LittleEndian.Uint32(s) != 0x12345678 {
		t.Errorf("RAM size %v", s)
	}
	if v := b.io.Read(0x514, 4); v != 0x554d4551 { // "QEMU"
		t.Errorf("DMA signature %#x", v)
	}
}

func TestDirectory(t *testing.T) {
	b := newBench()
	for _, n := range []string{"etc/z", "bootorder", "etc/a"} {
		if err := b.d.AddFile(n, []byte("<"+n+">")); err != nil {
			t.Fatal(err)
		}
	}
	dir := b.get(FileDir, 4+3*64)
	if n := binary.BigEndian.Uint32(dir); n != 3 {
		t.Fatalf("%d files", n)
	}
	for i, want := range []string{"bootorder", "etc/a", "etc/z"} {
		e := dir[4+64*i:]
		size, key := binary.BigEndian.Uint32(e), binary.BigEndian.Uint16(e[4:])
		name, _, _ := strings.Cut(string(e[8:64]), "\x00")
		if name != want || string(b.get(int(key), int(size))) != "<"+want+">" {
			t.Errorf("entry %d: %q %d %#x", i, name, size, key)
		}
	}
	if err := b.d.AddFile(strings.Repeat("x", 56), nil); err == nil {
		t.Error("long name is taken")
	}
}

func TestDMA(t *testing.T) {
	b := newBench()
	_ = b.d.AddFile("etc/a", []byte("0123456789"))
	wrote := ""
	_ = b.d.AddWritableFile("etc/w", make([]byte, 4), func(p []byte) { wrote = string(p) })
	if r := b.dma(0x20<<16|dmaSelect|dmaSkip, 4, 0); r != 0 {
		t.Errorf("skip: %#x", r)
	}
	if r := b.dma(dmaRead, 8, 0x2000); r != 0 {
		t.Errorf("read: %#x", r)
	}
	var got [8]byte
	b.mem.ReadBytes(0x2000, got[:])
	if string(got[:]) != "456789\x00\x00" {
		t.Errorf("read %q", got)
	}
	if r := b.dma(0x20<<16|dmaSelect|dmaWrite, 4, 0x2000); r != dmaError {
		t.Errorf("write to read-only file: %#x", r)
	}
	if r := b.dma(0x21<<16|dmaSelect|dmaWrite, 4, 0x2000); r != 0 || wrote != "4567" {
		t.Errorf("write: %#x %q", r, wrote)
	}
	if r := b.dma(dmaWrite, 1, 0x2000); r != dmaError {
		t.Errorf("write beyond the end: %#x", r)
	}
	b.dma(0x20<<16|dmaSelect|dmaRead, 0xffffffff, 0x3000) // must end soon
	tree, _ := snap.SaveTree(b.d)
	b.d.Reset()
	if err := snap.LoadTree(b.d, tree); err != nil {
		t.Error(err)
	}
}

// brokenDisk gives what it has up to some place.
type brokenDisk struct {
	data []byte
	bad  int64
}

func (b brokenDisk) ReadAt(p []byte, at int64) (int, error) {
	if at+int64(len(p)) > b.bad {
		return 0, errors.New("input/output error")
	}
	return copy(p, b.data[at:]), nil
}

// An item of AddSource is read where it is, in pieces, by both ways.
func TestSource(t *testing.T) {
	b := newBench()
	data := make([]byte, 2*chunk+100)
	for i := range data {
		data[i] = byte(i * 7 >> 3)
	}
	size := int64(len(data))
	b.d.AddSource(KernelData, io.NewSectionReader(bytes.NewReader(data), 0, size))
	if got := b.get(KernelData, len(data)+3); !bytes.Equal(got[:size], data) || got[size] != 0 {
		t.Error("the data port gives something else")
	}
	if r := b.dma(KernelData<<16|dmaSelect|dmaSkip, 5, 0); r != 0 {
		t.Errorf("skip: %#x", r)
	}
	if r := b.dma(dmaRead, uint32(size), 0x2000); r != 0 {
		t.Errorf("read: %#x", r)
	}
	got := make([]byte, size)
	b.mem.ReadBytes(0x2000, got)
	if !bytes.Equal(got[:size-5], data[5:]) || got[size-1] != 0 {
		t.Error("DMA gives something else")
	}
	b.d.AddSource(InitrdData, io.NewSectionReader(brokenDisk{data, chunk + 10}, 0, size))
	if r := b.dma(InitrdData<<16|dmaSelect|dmaRead, chunk, 0x2000); r != 0 {
		t.Errorf("read of the good part: %#x", r)
	}
	if r := b.dma(dmaRead, 20, 0x2000); r != dmaError {
		t.Errorf("read of the bad part: %#x", r)
	}
	if r := b.dma(InitrdData<<16|dmaSelect|dmaWrite, 4, 0x2000); r != dmaError {
		t.Errorf("write: %#x", r)
	}
}

func FuzzPorts(f *testing.F) {
	f.Add([]byte{0, 0x19, 0, 1, 0, 0, 4, 1, 2})
	f.Fuzz(func(t *testing.T, ops []byte) {
		b := newBench()
		_ = b.d.AddWritableFile("etc/w", make([]byte, 64), nil)
		_ = b.d.AddFile("etc/r", bytes.Repeat([]byte{1}, 100))
		for i := 0; i+6 < len(ops); i += 7 {
			b.mem.WriteBytes(uint64(ops[i])*16, ops[i:i+7])
			off := 0x510 + uint64(ops[i+1]&15)
			size := 1 << (ops[i+2] & 3)
			b.io.Write(off, size, binary.LittleEndian.Uint64(append(bytes.Clone(ops[i+3:i+7]), 0, 0, 0, 0)))
			b.io.Read(off, size)
		}
	})
}
