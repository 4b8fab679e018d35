// Package qcow2 is QEMU's image format: versions 2 and 3, with backing files,
// compressed clusters (deflate and zstd), internal snapshots that are kept, and
// any cluster size and width of reference counts. Names are those of the
// specification, docs/interop/qcow2.txt of QEMU.
//
// Images are hostile: what they say is checked before it is used, and bounded
// where it costs memory.
package qcow2

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

var be = binary.BigEndian

// Magic begins every image.
const Magic = "QFI\xfb"

// Incompatible features: an image with one that is not known cannot be used.
const (
	incompatDirty       = 1 << 0 // reference counts may be wrong
	incompatCorrupt     = 1 << 1 // so may anything
	incompatData        = 1 << 2 // the data is in another file
	incompatCompression = 1 << 3 // compression_type is not 0
	incompatExtendedL2  = 1 << 4
)

// Compression types.
const (
	compressDeflate = 0
	compressZstd    = 1
)

// Types of header extensions.
const (
	extEnd           = 0
	extBackingFormat = 0xe2792aca
)

// Bounds: what QEMU has, too.
const (
	minClusterBits = 9
	maxClusterBits = 21
	maxL1          = 32 << 20 // bytes
	maxRefTable    = 8 << 20  // bytes
	maxBackingName = 1023
	maxSnapshots   = 65536
)

// Sizes of the header.
const (
	headerV2 = 72
	headerV3 = 104
)

// header is the beginning of the image.
type header struct {
	version        uint32
	backingName    string
	backingFormat  string // "" = not said
	clusterBits    uint32
	size           uint64
	l1Size         uint32 // entries
	l1Offset       uint64
	refTableOffset uint64
	refTableSize   uint32 // clusters
	snapshots      uint32
	snapOffset     uint64
	incompatible   uint64
	autoclear      uint64
	refOrder       uint32
	compression    byte
}

func (h *header) clusterSize() uint64 { return 1 << h.clusterBits }

// readHeader reads and checks the header of an image of the given length.
func readHeader(r io.ReaderAt, length int64) (*header, error) {
	b := make([]byte, 112)
	n, err := r.ReadAt(b, 0)
	if n < headerV2 {
		if err == nil || errors.Is(err, io.EOF) {
			err = errors.New("it is cut short")
		}
		return nil, err
	}
	clear(b[n:])
	if string(b[:4]) != Magic {
		return nil, errors.New("it is no qcow2 image")
	}
	h := &header{
		version: be.Uint32(b[4:]), clusterBits: be.Uint32(b[20:]), size: be.Uint64(b[24:]),
		l1Size: be.Uint32(b[36:]), l1Offset: be.Uint64(b[40:]),
		refTableOffset: be.Uint64(b[48:]), refTableSize: be.Uint32(b[56:]),
		snapshots: be.Uint32(b[60:]), snapOffset: be.Uint64(b[64:]), refOrder: 4,
	}
	headerLength := uint64(headerV2)
	switch h.version {
	case 2:
	case 3:
		h.incompatible, h.autoclear = be.Uint64(b[72:]), be.Uint64(b[88:])
		h.refOrder, headerLength = be.Uint32(b[96:]), uint64(be.Uint32(b[100:]))
		if headerLength < headerV3 || headerLength&7 != 0 {
			return nil, fmt.Errorf("its header has %d bytes", headerLength)
		}
		if headerLength >= 112 {
			h.compression = b[104]
		}
	default:
		return nil, fmt.Errorf("version %d is not known (2 and 3 are)", h.version)
	}
	if h.clusterBits < minClusterBits || h.clusterBits > maxClusterBits {
		return nil, fmt.Errorf("clusters of 2^%d bytes are not allowed (2^9 to 2^21 are)", h.clusterBits)
	}
	if err := h.checkFeatures(be.Uint32(b[32:])); err != nil {
		return nil, err
	}
	if err := h.checkTables(length); err != nil {
		return nil, err
	}
	if headerLength > h.clusterSize() {
		return nil, fmt.Errorf("its header has %d bytes, more than a cluster", headerLength)
	}
	return h, h.readNames(r, headerLength, be.Uint64(b[8:]), be.Uint32(b[16:]))
}

func (h *header) checkFeatures(crypt uint32) error {
	switch {
	case crypt != 0:
		return errors.New("it is encrypted, which is not supported yet")
	case h.incompatible&incompatData != 0:
		return errors.New("its data is in another file, which is not supported yet")
	case h.incompatible&incompatExtendedL2 != 0:
		return errors.New("it has extended L2 entries, which are not supported yet")
	case h.incompatible&^(incompatDirty|incompatCorrupt|incompatCompression) != 0:
		return fmt.Errorf("it has incompatible features %#x, which are not known", h.incompatible)
	case h.refOrder > 6:
		return fmt.Errorf("reference counts of 2^%d bits are not allowed", h.refOrder)
	case h.compression > compressZstd || (h.compression != 0) != (h.incompatible&incompatCompression != 0):
		return fmt.Errorf("its compression type is %d, which is not known", h.compression)
	}
	return nil
}

// checkTables bounds the tables and what they say.
func (h *header) checkTables(length int64) error {
	cluster := h.clusterSize()
	perL1 := cluster / 8 * cluster // bytes of the disk that an L1 entry is for
	switch {
	case h.size > 1<<62:
		return fmt.Errorf("a disk of %d bytes is too large", h.size)
	case uint64(h.l1Size)*8 > maxL1:
		return fmt.Errorf("its L1 table has %d entries, more than the %d that are allowed", h.l1Size, maxL1/8)
	case (h.size+perL1-1)/perL1 > uint64(h.l1Size):
		return fmt.Errorf("its L1 table is too small for a disk of %d bytes", h.size)
	case uint64(h.refTableSize)*cluster > maxRefTable || h.refTableSize == 0:
		return fmt.Errorf("its table of reference counts has %d clusters", h.refTableSize)
	case h.snapshots > maxSnapshots:
		return fmt.Errorf("it has %d snapshots, more than the %d that are allowed", h.snapshots, maxSnapshots)
	}
	for _, t := range []struct {
		name         string
		offset, size uint64
	}{
		{"L1 table", h.l1Offset, uint64(h.l1Size) * 8},
		{"table of reference counts", h.refTableOffset, uint64(h.refTableSize) * cluster},
	} {
		if t.offset&(cluster-1) != 0 || t.size != 0 && (t.offset == 0 || t.offset > uint64(length) || t.size > uint64(length)-t.offset) {
			return fmt.Errorf("its %s is at %#x, which is no good place", t.name, t.offset)
		}
	}
	if h.snapOffset&(cluster-1) != 0 {
		return fmt.Errorf("its table of snapshots is at %#x, which is no good place", h.snapOffset)
	}
	return nil
}

// readNames reads the name of the backing file, and the extensions.
func (h *header) readNames(r io.ReaderAt, at, nameOffset uint64, nameSize uint32) error {
	first := make([]byte, h.clusterSize())
	n, err := r.ReadAt(first, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	first = first[:n]
	if nameOffset != 0 {
		if nameSize > maxBackingName || nameOffset > uint64(n) || uint64(nameSize) > uint64(n)-nameOffset {
			return errors.New("the name of its backing file is too long")
		}
		h.backingName = string(first[nameOffset:][:nameSize])
	}
	end := uint64(n)
	if nameOffset != 0 {
		end = nameOffset
	}
	for at+8 <= end {
		kind, size := be.Uint32(first[at:]), uint64(be.Uint32(first[at+4:]))
		if at += 8; kind == extEnd {
			break
		}
		if size > end-at {
			return errors.New("a header extension is too long")
		}
		if kind == extBackingFormat {
			h.backingFormat = string(first[at:][:size])
		}
		at += (size + 7) &^ 7
	}
	return nil
}
