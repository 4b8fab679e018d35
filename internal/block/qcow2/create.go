package qcow2

import (
	"errors"
	"fmt"
)

// CreateOptions are what Create is asked for. The zero value is version 3 with
// clusters of 64 KiB.
type CreateOptions struct {
	Version     int  // 2 or 3; 0 = 3
	ClusterBits uint // 0 = 16
	// Backing is the name of a backing file and Format its format; "" = none.
	Backing, Format string
}

// Create makes an empty image of a disk of size bytes in f, which is empty.
func Create(f Storage, size uint64, o CreateOptions) error {
	if o.Version == 0 {
		o.Version = 3
	}
	if o.ClusterBits == 0 {
		o.ClusterBits = 16
	}
	switch {
	case o.Version != 2 && o.Version != 3:
		return fmt.Errorf("version %d is not known (2 and 3 are)", o.Version)
	case o.ClusterBits < minClusterBits || o.ClusterBits > maxClusterBits:
		return fmt.Errorf("clusters of 2^%d bytes are not allowed (2^9 to 2^21 are)", o.ClusterBits)
	case len(o.Backing) > maxBackingName:
		return errors.New("the name of the backing file is too long")
	case size > 1<<62:
		return fmt.Errorf("a disk of %d bytes is too large", size)
	}
	cluster := uint64(1) << o.ClusterBits
	perL1 := cluster / 8 * cluster
	l1 := (size + perL1 - 1) / perL1
	if l1*8 > maxL1 {
		return fmt.Errorf("a disk of %d bytes needs larger clusters than %d bytes", size, cluster)
	}
	// The header, the table of reference counts, its blocks, and the L1 table.
	l1Clusters := (max(l1, 1)*8 + cluster - 1) / cluster
	perBlock := cluster / 2
	blocks := uint64(1)
	for (2+blocks+l1Clusters+perBlock-1)/perBlock > blocks {
		blocks++
	}
	if blocks > cluster/8 {
		return fmt.Errorf("a disk of %d bytes needs larger clusters than %d bytes", size, cluster)
	}
	h := make([]byte, cluster)
	copy(h, Magic)
	be.PutUint32(h[4:], uint32(o.Version))
	be.PutUint32(h[20:], uint32(o.ClusterBits))
	be.PutUint64(h[24:], size)
	be.PutUint32(h[36:], uint32(l1))
	be.PutUint64(h[40:], (2+blocks)*cluster)
	be.PutUint64(h[48:], cluster)
	be.PutUint32(h[56:], 1)
	at := headerV2
	if o.Version == 3 {
		be.PutUint32(h[96:], 4)
		at = headerV3
		be.PutUint32(h[100:], uint32(at))
	}
	if o.Backing != "" {
		if at+8+(len(o.Format)+7)&^7+8+len(o.Backing) > len(h) {
			return errors.New("the name of the backing file is too long")
		}
		if o.Format != "" {
			be.PutUint32(h[at:], extBackingFormat)
			be.PutUint32(h[at+4:], uint32(len(o.Format)))
			copy(h[at+8:], o.Format)
			at += 8 + (len(o.Format)+7)&^7
		}
		at += 8 // extEnd
		be.PutUint64(h[8:], uint64(at))
		be.PutUint32(h[16:], uint32(len(o.Backing)))
		copy(h[at:], o.Backing)
	}
	table := make([]byte, cluster)
	counts := make([]byte, blocks*cluster)
	for b := range blocks {
		be.PutUint64(table[b*8:], (2+b)*cluster)
	}
	for c := range 2 + blocks + l1Clusters {
		be.PutUint16(counts[c*2:], 1)
	}
	for _, w := range []struct {
		b   []byte
		off uint64
	}{{make([]byte, l1Clusters*cluster), (2 + blocks) * cluster}, {counts, 2 * cluster}, {table, cluster}, {h, 0}} {
		if _, err := f.WriteAt(w.b, int64(w.off)); err != nil {
			return err
		}
	}
	return f.Sync()
}
