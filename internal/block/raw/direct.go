package raw

import (
	"errors"
	"io"
	"sync"
)

// align is what direct accesses keep to: offsets, lengths and addresses in
// memory. Every file system and disk takes a page; some take less.
const align = 4096

// maxBounce bounds the memory of a direct access: longer ones are cut up.
const maxBounce = 1 << 20

// aligned returns n bytes of memory that begin at a multiple of align.
func aligned(n int) []byte {
	b := make([]byte, n+align)
	skip := -address(b) & (align - 1)
	return b[skip:][:n:n]
}

// bounces are aligned buffers of maxBounce bytes.
var bounces = sync.Pool{New: func() any { b := aligned(maxBounce); return &b }}

// direct accesses off..off+len(p)-1 past the host's cache, as far as whole
// blocks are concerned; what sticks out at either end goes through the cache.
// The kernel keeps the two coherent (open(2), O_DIRECT).
func (i *Image) readDirect(p []byte, off int64) (int, error) {
	return i.split(p, off, i.f.ReadAt, func(b []byte, at int64) (int, error) {
		buf := bounces.Get().(*[]byte)
		defer bounces.Put(buf)
		n, err := i.d.ReadAt((*buf)[:len(b)], at)
		return copy(b, (*buf)[:n]), err
	})
}

func (i *Image) writeDirect(p []byte, off int64) (int, error) {
	return i.split(p, off, i.f.WriteAt, func(b []byte, at int64) (int, error) {
		buf := bounces.Get().(*[]byte)
		defer bounces.Put(buf)
		return i.d.WriteAt((*buf)[:copy(*buf, b)], at)
	})
}

// split cuts an access into its ragged ends and the whole blocks between.
func (i *Image) split(p []byte, off int64, ragged, whole func(p []byte, off int64) (int, error)) (int, error) {
	done := 0
	for done < len(p) {
		at, rest := off+int64(done), int64(len(p)-done)
		f, n := whole, min(rest, maxBounce)&^(align-1)
		switch over := at % align; {
		case over != 0:
			f, n = ragged, min(rest, align-over)
		case n == 0:
			f, n = ragged, rest
		}
		got, err := f(p[done:][:n], at)
		done += got
		switch {
		case int64(got) == n:
		case err == nil:
			return done, io.ErrUnexpectedEOF
		default:
			return done, err
		}
	}
	return done, nil
}

// errNoDirect says that a file cannot be accessed past the cache.
var errNoDirect = errors.New("its file system does not support O_DIRECT, which cache=none and cache=directsync need")
