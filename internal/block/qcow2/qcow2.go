package qcow2

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"rhea/internal/block"
)

// Storage is what an image is in: a file.
type Storage interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Sync() error
	Truncate(size int64) error
	Stat() (os.FileInfo, error)
}

// Bits of L1 and L2 entries.
const (
	entryOffset = 0x00fffffffffffe00
	copied      = 1 << 63 // the reference count is exactly 1
	compressed  = 1 << 62
	zeroes      = 1 << 0 // version 3: reads as zeroes
)

// Image is an open image.
type Image struct {
	f       Storage
	name    string
	h       *header
	ro      bool
	backing block.Backend // nil = none
	cluster uint64

	// mu is held for writing by what changes metadata, for reading by the rest.
	mu       sync.RWMutex
	l1       []uint64
	l1Dirty  bool
	l2       tableCache
	ref      refcounts
	unpacked unpacked
}

// Options are what Open is asked for.
type Options struct {
	ReadOnly bool
	// Backing opens the backing file that the image names, with the format it
	// says ("" = it says none). Nil refuses such images.
	Backing func(name, format string) (block.Backend, error)
}

// Open opens the image in f, which it owns from then on, also if it fails. Name
// is for messages.
func Open(f Storage, name string, o Options) (*Image, error) {
	i, err := open(f, name, o)
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("'%s': %w", name, err)
	}
	return i, nil
}

func open(f Storage, name string, o Options) (*Image, error) {
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	h, err := readHeader(f, st.Size())
	if err != nil {
		return nil, err
	}
	switch {
	case o.ReadOnly:
	case h.incompatible&incompatCorrupt != 0:
		return nil, errors.New("it is marked as corrupt; it can be opened for reading, and 'qemu-img check -r all' may mend it")
	case h.incompatible&incompatDirty != 0:
		return nil, errors.New("it was not closed and its reference counts may be wrong; 'qemu-img check -r all' mends it")
	}
	i := &Image{f: f, name: name, h: h, ro: o.ReadOnly, cluster: h.clusterSize()}
	if i.l1, err = i.readTable(h.l1Offset, int(h.l1Size)); err != nil {
		return nil, fmt.Errorf("its L1 table cannot be read: %w", err)
	}
	i.l2.init(i)
	if err := i.ref.init(i, st.Size()); err != nil {
		return nil, err
	}
	if h.backingName != "" {
		if o.Backing == nil {
			return nil, fmt.Errorf("it has the backing file '%s'", h.backingName)
		}
		if i.backing, err = o.Backing(h.backingName, h.backingFormat); err != nil {
			return nil, err
		}
	}
	return i, nil
}

// readTable reads a table of entries of 8 bytes.
func (i *Image) readTable(off uint64, entries int) ([]uint64, error) {
	b := make([]byte, entries*8)
	if n, err := i.f.ReadAt(b, int64(off)); n < len(b) {
		if err == nil || errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	t := make([]uint64, entries)
	for n := range t {
		t[n] = be.Uint64(b[n*8:])
	}
	return t, nil
}

func (i *Image) writeTable(off uint64, t []uint64) error {
	b := make([]byte, len(t)*8)
	for n, v := range t {
		be.PutUint64(b[n*8:], v)
	}
	_, err := i.f.WriteAt(b, int64(off))
	return err
}

// Size implements block.Backend.
func (i *Image) Size() int64 { return int64(i.h.size) }

// ReadOnly implements block.ReadOnlyer.
func (i *Image) ReadOnly() bool { return i.ro }

// Close writes what is to be written and closes the file, and the backing file if
// it can be closed.
func (i *Image) Close() error {
	err := i.Sync()
	err = errors.Join(err, i.f.Close())
	if c, ok := i.backing.(io.Closer); ok {
		err = errors.Join(err, c.Close())
	}
	return err
}

// corrupt says that metadata makes no sense.
func (i *Image) corrupt(format string, args ...any) error {
	return fmt.Errorf("'%s' is corrupt: %s", i.name, fmt.Sprintf(format, args...))
}

// position splits an offset of the disk into indexes of the tables and the
// offset in the cluster.
func (i *Image) position(off uint64) (l1, l2 int, in uint64) {
	c := off >> i.h.clusterBits
	bits := i.h.clusterBits - 3
	return int(c >> bits), int(c & (1<<bits - 1)), off & (i.cluster - 1)
}

// lookup returns the L2 entry of a cluster; 0 = there is none.
func (i *Image) lookup(l1, l2 int) (uint64, error) {
	e := i.l1[l1] & entryOffset
	if e == 0 {
		return 0, nil
	}
	t, err := i.l2.get(e)
	if err != nil {
		return 0, err
	}
	v := t.load(l2)
	if v&compressed == 0 && v&entryOffset&(i.cluster-1) != 0 {
		return 0, i.corrupt("the data cluster at %#x is not aligned", v&entryOffset)
	}
	return v, nil
}

// ReadAt implements io.ReaderAt.
func (i *Image) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 || uint64(off) >= i.h.size {
		return 0, io.EOF
	}
	var short error
	if left := i.h.size - uint64(off); uint64(len(p)) > left {
		p, short = p[:left], io.EOF
	}
	i.mu.RLock()
	defer i.mu.RUnlock()
	done := 0
	for done < len(p) {
		n, err := i.readRun(p[done:], uint64(off)+uint64(done))
		if done += n; err != nil {
			return done, err
		}
	}
	return done, short
}

// readRun reads clusters that lie one behind the other, at least one.
func (i *Image) readRun(p []byte, off uint64) (int, error) {
	l1, l2, in := i.position(off)
	e, err := i.lookup(l1, l2)
	if err != nil {
		return 0, err
	}
	n := min(uint64(len(p)), i.cluster-in)
	if e&compressed != 0 {
		return int(n), i.readCompressed(p[:n], e, in)
	}
	host := e & entryOffset
	kind := i.kindOf(e)
	for n < uint64(len(p)) { // what is like it and follows it
		l1, l2, _ := i.position(off + n)
		next, err := i.lookup(l1, l2)
		if err != nil || next&compressed != 0 || i.kindOf(next) != kind || kind == isData && next&entryOffset != host+in+n {
			break
		}
		n += min(uint64(len(p))-n, i.cluster)
	}
	p = p[:n]
	switch kind {
	case isZero:
		clear(p)
	case isAbsent:
		return int(n), i.readBacking(p, off)
	default:
		got, err := i.f.ReadAt(p, int64(host+in))
		if errors.Is(err, io.EOF) { // the last cluster need not be whole
			clear(p[got:])
			err = nil
		}
		return int(n), err
	}
	return int(n), nil
}

// Kinds of clusters that are not compressed.
const (
	isAbsent = iota
	isZero
	isData
)

func (i *Image) kindOf(e uint64) int {
	switch {
	case e&zeroes != 0 && i.h.version >= 3:
		return isZero
	case e&entryOffset == 0:
		return isAbsent
	}
	return isData
}

// readBacking reads what the image does not have.
func (i *Image) readBacking(p []byte, off uint64) error {
	if i.backing == nil || off >= uint64(i.backing.Size()) {
		clear(p)
		return nil
	}
	n, err := i.backing.ReadAt(p, int64(off))
	if n < len(p) && (err == nil || errors.Is(err, io.EOF)) { // it may be the shorter one
		clear(p[n:])
		err = nil
	}
	if n == len(p) {
		err = nil
	}
	return err
}
