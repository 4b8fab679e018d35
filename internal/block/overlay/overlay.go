// Package overlay is a throw-away layer over an image (-snapshot): what is
// written goes to a temporary file that no longer has a name, what is read
// comes from there if it was written and from the image below if not.
package overlay

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"rhea/internal/block"
)

// cluster is the unit of copying.
const cluster = 64 << 10

// Overlay is a copy-on-write layer.
type Overlay struct {
	base block.Backend
	f    *os.File
	size int64

	mu  sync.RWMutex
	has []uint64 // a bit for each cluster that is in f
}

// New returns a layer over base. Dir is where the temporary file goes, ""
// means the system's place.
func New(base block.Backend, dir string) (*Overlay, error) {
	f, err := os.CreateTemp(dir, "rhea-snapshot-*")
	if err != nil {
		return nil, fmt.Errorf("cannot make the temporary file for snapshot mode: %w", err)
	}
	// Where a file in use cannot be removed, Close does it.
	_ = os.Remove(f.Name())
	n := (base.Size() + cluster - 1) / cluster
	return &Overlay{base: base, f: f, size: base.Size(), has: make([]uint64, (n+63)/64)}, nil
}

func (o *Overlay) written(c int64) bool { return o.has[c/64]&(1<<(c%64)) != 0 }

// ReadAt implements io.ReaderAt.
func (o *Overlay) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 || off >= o.size {
		return 0, io.EOF
	}
	o.mu.RLock()
	defer o.mu.RUnlock()
	total := 0
	for len(p) > 0 && off < o.size {
		c := off / cluster
		in := o.written(c)
		end := min((c+1)*cluster, o.size)
		for end < o.size && end-off < int64(len(p)) && o.written(end/cluster) == in {
			end = min(end+cluster, o.size)
		}
		n := int(min(int64(len(p)), end-off))
		if err := o.readRun(p[:n], off, in); err != nil {
			return total, err
		}
		p, off, total = p[n:], off+int64(n), total+n
	}
	if len(p) > 0 {
		return total, io.EOF
	}
	return total, nil
}

func (o *Overlay) readRun(p []byte, off int64, in bool) error {
	var src io.ReaderAt = o.base
	if in {
		src = o.f
	}
	n, err := src.ReadAt(p, off)
	if n == len(p) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// WriteAt implements io.WriterAt.
func (o *Overlay) WriteAt(p []byte, off int64) (int, error) {
	if off < 0 || off > o.size || int64(len(p)) > o.size-off {
		return 0, fmt.Errorf("write of %d bytes at %d is beyond the end of the image", len(p), off)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	total := 0
	var whole []byte
	for len(p) > 0 {
		c := off / cluster
		start, end := c*cluster, min((c+1)*cluster, o.size)
		n := int(min(int64(len(p)), end-off))
		if !o.written(c) && int64(n) != end-start {
			if whole == nil {
				whole = make([]byte, cluster)
			}
			b := whole[:end-start]
			if err := o.readRun(b, start, false); err != nil {
				return total, err
			}
			copy(b[off-start:], p[:n])
			if _, err := o.f.WriteAt(b, start); err != nil {
				return total, err
			}
		} else if _, err := o.f.WriteAt(p[:n], off); err != nil {
			return total, err
		}
		o.has[c/64] |= 1 << (c % 64)
		p, off, total = p[n:], off+int64(n), total+n
	}
	return total, nil
}

// Size implements block.Backend.
func (o *Overlay) Size() int64 { return o.size }

// Sync implements block.Backend: what will be thrown away need not be stable.
func (o *Overlay) Sync() error { return nil }

// Commit writes what the layer holds to the image below (the monitor's
// "commit") and empties the layer.
func (o *Overlay) Commit() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	buf := make([]byte, cluster)
	for c := range int64(len(o.has) * 64) {
		if !o.written(c) {
			continue
		}
		b := buf[:min(cluster, o.size-c*cluster)]
		if err := o.readRun(b, c*cluster, true); err != nil {
			return err
		}
		if _, err := o.base.WriteAt(b, c*cluster); err != nil {
			return err
		}
		o.has[c/64] &^= 1 << (c % 64)
	}
	return o.base.Sync()
}

// Close drops the layer and closes the image below.
func (o *Overlay) Close() error {
	err := o.f.Close()
	_ = os.Remove(o.f.Name())
	if c, ok := o.base.(io.Closer); ok {
		err = errors.Join(err, c.Close())
	}
	return err
}
