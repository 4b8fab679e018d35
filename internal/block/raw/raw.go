// Package raw is an image file, or a host's block device, whose bytes are the
// disk's.
package raw

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"rhea/internal/block"
)

// Image is an open raw image.
type Image struct {
	f    *os.File
	d    *os.File // past the host's cache; nil = not wanted
	size int64
	ro   bool
}

// OpenDirect is Open for an image that is not to go through the host's cache.
func OpenDirect(path string, readOnly bool) (*Image, error) {
	i, err := Open(path, readOnly)
	if err != nil {
		return nil, err
	}
	mode := os.O_RDWR
	if readOnly {
		mode = os.O_RDONLY
	}
	if i.d, err = openDirect(i.f, mode); err != nil {
		i.Close()
		return nil, err
	}
	return i, nil
}

// Open opens the image at path.
func Open(path string, readOnly bool) (*Image, error) {
	mode := os.O_RDWR
	if readOnly {
		mode = os.O_RDONLY
	}
	f, err := os.OpenFile(path, mode, 0)
	if err != nil {
		if !readOnly && errors.Is(err, fs.ErrPermission) {
			return nil, fmt.Errorf("%w (it cannot be opened for writing; read-only or snapshot=on would do without)", err)
		}
		return nil, err
	}
	im, err := New(f, readOnly)
	if err != nil {
		f.Close()
		return nil, err
	}
	return im, nil
}

// New returns the image in f, which it then owns.
func New(f *os.File, readOnly bool) (*Image, error) {
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if st.IsDir() {
		return nil, fmt.Errorf("%s: is a directory, not an image", f.Name())
	}
	size := st.Size()
	if !st.Mode().IsRegular() { // block devices say their size only so
		if size, err = f.Seek(0, io.SeekEnd); err != nil {
			return nil, fmt.Errorf("%s: is no file and has no size: %w", f.Name(), err)
		}
	}
	return &Image{f: f, size: size, ro: readOnly}, nil
}

// ReadAt implements io.ReaderAt.
func (i *Image) ReadAt(p []byte, off int64) (int, error) {
	if i.d != nil {
		return i.readDirect(p, off)
	}
	return i.f.ReadAt(p, off)
}

// WriteAt implements io.WriterAt. It does not make the image longer.
func (i *Image) WriteAt(p []byte, off int64) (int, error) {
	if i.ro {
		return 0, block.ErrReadOnly
	}
	if off < 0 || off > i.size || int64(len(p)) > i.size-off {
		return 0, fmt.Errorf("%s: write of %d bytes at %d is beyond the end", i.f.Name(), len(p), off)
	}
	if i.d != nil {
		return i.writeDirect(p, off)
	}
	return i.f.WriteAt(p, off)
}

// Size implements block.Backend.
func (i *Image) Size() int64 { return i.size }

// Used is how many bytes the image takes on the host's disk, as far as that
// can be told.
func (i *Image) Used() int64 {
	st, err := i.f.Stat()
	if err != nil {
		return i.size
	}
	return used(st, i.size)
}

// Sync implements block.Backend.
func (i *Image) Sync() error {
	if i.ro {
		return nil
	}
	return i.f.Sync()
}

// ReadOnly implements block.ReadOnlyer.
func (i *Image) ReadOnly() bool { return i.ro }

// Close closes the file.
func (i *Image) Close() error {
	err := i.f.Close()
	if i.d != nil {
		err = errors.Join(err, i.d.Close())
	}
	return err
}

// Discard implements block.Discarder: the file gets a hole, where the host can
// make one.
func (i *Image) Discard(off, n int64) error {
	if err := i.mayPunch(off, n); err != nil {
		return err
	}
	if err := punch(i.f, off, n); !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	return nil
}

// WriteZeroes implements block.Zeroer.
func (i *Image) WriteZeroes(off, n int64) error {
	err := i.mayPunch(off, n)
	if err != nil {
		return err
	}
	if err = punch(i.f, off, n); !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	zero := make([]byte, min(n, 1<<20))
	for n > 0 {
		k, err := i.WriteAt(zero[:min(n, int64(len(zero)))], off)
		if err != nil {
			return err
		}
		off += int64(k)
		n -= int64(k)
	}
	return nil
}

func (i *Image) mayPunch(off, n int64) error {
	if i.ro {
		return block.ErrReadOnly
	}
	if off < 0 || n < 0 || off > i.size || n > i.size-off {
		return fmt.Errorf("%s: discard of %d bytes at %d is beyond the end", i.f.Name(), n, off)
	}
	return nil
}
