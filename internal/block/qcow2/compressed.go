package qcow2

import (
	"bytes"
	"compress/flate"
	"errors"
	"io"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// unpacked is the compressed cluster that was read last.
type unpacked struct {
	mu    sync.Mutex
	entry uint64 // 0 = none
	b     []byte
}

// compressedPlace returns where a compressed cluster lies, and the most bytes that
// it has: up to the end of its last sector.
func (i *Image) compressedPlace(e uint64) (host, n uint64) {
	x := 62 - (i.h.clusterBits - 8)
	host = e & (1<<x - 1)
	sectors := e&(1<<62-1)>>x + 1
	return host, sectors*512 - host&511
}

// readCompressed reads from a compressed cluster.
func (i *Image) readCompressed(p []byte, e, in uint64) error {
	u := &i.unpacked
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.entry != e {
		if u.b == nil {
			u.b = make([]byte, i.cluster)
		}
		u.entry = 0
		if err := i.unpack(u.b, e); err != nil {
			return err
		}
		u.entry = e
	}
	copy(p, u.b[in:])
	return nil
}

func (i *Image) unpack(b []byte, e uint64) error {
	host, n := i.compressedPlace(e)
	packed := make([]byte, n)
	k, err := i.f.ReadAt(packed, int64(host))
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	var r io.Reader
	if i.h.compression == compressZstd {
		d, err := zstd.NewReader(bytes.NewReader(packed[:k]), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(8<<20), zstd.WithDecoderLowmem(true))
		if err != nil {
			return err
		}
		defer d.Close()
		r = d
	} else {
		r = flate.NewReader(bytes.NewReader(packed[:k]))
	}
	if _, err := io.ReadFull(r, b); err != nil {
		return i.corrupt("the compressed cluster at %#x cannot be unpacked: %v", host, err)
	}
	return nil
}
