package qcow2

import (
	"fmt"

	"rhea/internal/block"
)

// WriteAt implements io.WriterAt. It does not make the disk longer.
func (i *Image) WriteAt(p []byte, off int64) (int, error) {
	if err := i.mayWrite(off, int64(len(p))); err != nil {
		return 0, err
	}
	done := 0
	for done < len(p) {
		n, err := i.overwrite(p[done:], uint64(off)+uint64(done))
		if n == 0 && err == nil {
			n, err = i.allocate(p[done:], uint64(off)+uint64(done))
		}
		if done += n; err != nil {
			return done, err
		}
	}
	return done, nil
}

func (i *Image) mayWrite(off, n int64) error {
	switch {
	case i.ro:
		return block.ErrReadOnly
	case off < 0 || uint64(off) > i.h.size || uint64(n) > i.h.size-uint64(off):
		return fmt.Errorf("'%s': write of %d bytes at %d is beyond the end", i.name, n, off)
	}
	return nil
}

// isOwn reports whether an entry's cluster is the disk's alone, and has data.
func (i *Image) isOwn(e uint64) bool {
	return e&copied != 0 && e&compressed == 0 && i.kindOf(e) == isData
}

// overwrite writes clusters that are there already and follow each other; 0 = the
// first is not.
func (i *Image) overwrite(p []byte, off uint64) (int, error) {
	i.mu.RLock()
	defer i.mu.RUnlock()
	l1, l2, in := i.position(off)
	e, err := i.lookup(l1, l2)
	if err != nil || !i.isOwn(e) {
		return 0, err
	}
	host := e & entryOffset
	n := min(uint64(len(p)), i.cluster-in)
	for n < uint64(len(p)) {
		l1, l2, _ := i.position(off + n)
		next, err := i.lookup(l1, l2)
		if err != nil || !i.isOwn(next) || next&entryOffset != host+in+n {
			break
		}
		n += min(uint64(len(p))-n, i.cluster)
	}
	if err := i.checkPlace(host, in+n); err != nil {
		return 0, err
	}
	return i.f.WriteAt(p[:n], int64(host+in))
}

// checkPlace refuses to write data where the image says that its tables are.
func (i *Image) checkPlace(host, n uint64) error {
	h := i.h
	for _, t := range [...]struct{ off, size uint64 }{
		{0, i.cluster}, {h.l1Offset, uint64(h.l1Size) * 8}, {h.refTableOffset, uint64(h.refTableSize) * i.cluster},
	} {
		if host < t.off+t.size && t.off < host+n {
			return i.corrupt("the data cluster at %#x is where a table is", host)
		}
	}
	return nil
}

// allocate writes to clusters that are not the disk's own yet: one, or several
// whole ones.
func (i *Image) allocate(p []byte, off uint64) (int, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	l1, l2, in := i.position(off)
	t, err := i.tableFor(l1)
	if err != nil {
		return 0, err
	}
	e := t.load(l2)
	if i.isOwn(e) { // somebody was faster
		return 0, nil
	}
	if in != 0 || uint64(len(p)) < i.cluster {
		return i.allocatePart(t, l2, p[:min(uint64(len(p)), i.cluster-in)], off, in)
	}
	want := uint64(1)
	for ; (want+1)*i.cluster <= uint64(len(p)) && l2+int(want) < len(t.entries) && !i.isOwn(t.load(l2+int(want))); want++ {
	}
	host, got, err := i.ref.alloc(want)
	if err != nil {
		return 0, err
	}
	n := int(got * i.cluster)
	if _, err := i.f.WriteAt(p[:n], int64(host)); err != nil {
		return 0, i.giveBack(host, got, err)
	}
	for k := range got {
		i.replace(t, l2+int(k), host+k*i.cluster|copied)
	}
	return n, nil
}

// allocatePart writes a part of a cluster; the rest is what was there.
func (i *Image) allocatePart(t *table, l2 int, p []byte, off, in uint64) (int, error) {
	start := off - in
	b := make([]byte, i.cluster)
	e := t.load(l2)
	var err error
	switch {
	case e&compressed != 0:
		err = i.readCompressed(b, e, 0)
	case i.kindOf(e) == isAbsent:
		err = i.readBacking(b, start)
	case i.kindOf(e) == isData:
		_, err = i.readRun(b, start)
	}
	if err != nil {
		return 0, err
	}
	copy(b[in:], p)
	host, _, err := i.ref.alloc(1)
	if err != nil {
		return 0, err
	}
	if _, err := i.f.WriteAt(b, int64(host)); err != nil {
		return 0, i.giveBack(host, 1, err)
	}
	i.replace(t, l2, host|copied)
	return len(p), nil
}

// giveBack frees clusters that were taken for a write that has failed.
func (i *Image) giveBack(host, n uint64, err error) error {
	for k := range n {
		i.ref.freed = append(i.ref.freed, host>>i.h.clusterBits+k)
	}
	return err
}

// replace sets an L2 entry, and frees what the one before it used.
func (i *Image) replace(t *table, l2 int, e uint64) {
	old := t.load(l2)
	if !t.dirty { // the cache may have let it go meanwhile
		i.l2.put(t)
	}
	t.store(l2, e)
	bits := i.h.clusterBits
	switch {
	case old&compressed != 0:
		host, n := i.compressedPlace(old)
		for c := host >> bits; c <= (host+n-1)>>bits; c++ {
			i.ref.freed = append(i.ref.freed, c)
		}
	case old&entryOffset != 0 && old&entryOffset != e&entryOffset:
		i.ref.freed = append(i.ref.freed, old&entryOffset>>bits)
	}
}

// tableFor returns the L2 table of an L1 entry, the disk's own: it is made, or
// copied from one that a snapshot has as well.
func (i *Image) tableFor(l1 int) (*table, error) {
	e := i.l1[l1]
	if off := e & entryOffset; off != 0 && e&copied != 0 {
		return i.l2.get(off)
	}
	t := &table{entries: make([]uint64, i.cluster/8), dirty: true}
	if off := e & entryOffset; off != 0 {
		old, err := i.l2.get(off)
		if err != nil {
			return nil, err
		}
		copy(t.entries, old.entries)
	}
	var err error
	if t.off, _, err = i.ref.alloc(1); err != nil {
		return nil, err
	}
	i.l2.put(t)
	if off := e & entryOffset; off != 0 {
		i.ref.freed = append(i.ref.freed, off>>i.h.clusterBits)
	}
	i.l1[l1], i.l1Dirty = t.off|copied, true
	return t, nil
}

// Sync implements block.Backend. Tables are written in an order in which whatever
// refers to something is behind it: if the host fails in between, clusters are
// lost at worst.
func (i *Image) Sync() error {
	if i.ro {
		return nil
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if err := i.writeTables(); err != nil {
		return err
	}
	return i.f.Sync()
}

func (i *Image) writeTables() error {
	wrote, err := i.ref.writeBlocks()
	if err != nil {
		return err
	}
	if wrote {
		if err := i.f.Sync(); err != nil {
			return err
		}
	}
	if len(i.ref.dirty) != 0 {
		if err := i.ref.writeEntries(); err != nil {
			return err
		}
		if err := i.f.Sync(); err != nil {
			return err
		}
	}
	if i.h.autoclear != 0 { // what we do not know is not true any more
		if _, err := i.f.WriteAt(make([]byte, 8), 88); err != nil {
			return err
		}
		i.h.autoclear = 0
	}
	if wrote, err = i.l2.write(); err != nil {
		return err
	}
	if i.l1Dirty {
		if wrote {
			if err := i.f.Sync(); err != nil {
				return err
			}
		}
		if err := i.writeTable(i.h.l1Offset, i.l1); err != nil {
			return err
		}
		i.l1Dirty = false
	}
	if len(i.ref.freed) == 0 {
		return nil
	}
	if err := i.f.Sync(); err != nil {
		return err
	}
	if err := i.ref.release(); err != nil {
		return err
	}
	_, err = i.ref.writeBlocks()
	return err
}

// WriteZeroes implements block.Zeroer.
func (i *Image) WriteZeroes(off, n int64) error {
	if err := i.mayWrite(off, n); err != nil {
		return err
	}
	return i.eachCluster(uint64(off), uint64(n), func(off, n uint64) error {
		_, err := i.WriteAt(make([]byte, n), int64(off))
		return err
	}, func(t *table, l2 int) (bool, error) {
		e := uint64(0)
		switch {
		case i.h.version >= 3:
			e = zeroes
		case i.backing != nil:
			return false, nil
		}
		i.replace(t, l2, e)
		return true, nil
	})
}

// Discard implements block.Discarder. What is discarded reads as zeroes if the
// format can say so; parts of clusters stay.
func (i *Image) Discard(off, n int64) error {
	if err := i.mayWrite(off, n); err != nil {
		return err
	}
	return i.eachCluster(uint64(off), uint64(n), func(uint64, uint64) error { return nil }, func(t *table, l2 int) (bool, error) {
		e := uint64(0)
		switch {
		case i.backing == nil:
		case i.h.version >= 3:
			e = zeroes
		default: // the backing file's data would come back
			return true, nil
		}
		i.replace(t, l2, e)
		return true, nil
	})
}

// eachCluster calls whole for the whole clusters of a range, under the lock, and
// part for what is left of it, and for those that whole does not want.
func (i *Image) eachCluster(off, n uint64, part func(off, n uint64) error, whole func(t *table, l2 int) (bool, error)) error {
	for n > 0 {
		l1, l2, in := i.position(off)
		k := min(n, i.cluster-in)
		isWhole := k == i.cluster || in == 0 && off+k == i.h.size
		if isWhole {
			done, err := func() (bool, error) {
				i.mu.Lock()
				defer i.mu.Unlock()
				if i.l1[l1]&entryOffset == 0 && i.backing == nil {
					return true, nil // it is as good as zeroes
				}
				t, err := i.tableFor(l1)
				if err != nil {
					return false, err
				}
				return whole(t, l2)
			}()
			if err != nil {
				return err
			}
			isWhole = done
		}
		if !isWhole {
			if err := part(off, k); err != nil {
				return err
			}
		}
		off, n = off+k, n-k
	}
	return nil
}
