package qcow2

import "sync"

// cacheBytes bounds what is kept in memory of L2 tables, and of reference counts.
const cacheBytes = 32 << 20

// table is an L2 table.
type table struct {
	off     uint64 // in the file
	entries []uint64
	dirty   bool
}

func (t *table) load(n int) uint64 { return t.entries[n] }

func (t *table) store(n int, e uint64) { t.entries[n], t.dirty = e, true }

// tableCache has the L2 tables that were used, by their offset.
type tableCache struct {
	i      *Image
	mu     sync.Mutex
	tables map[uint64]*table
}

func (c *tableCache) init(i *Image) { c.i, c.tables = i, make(map[uint64]*table) }

// get returns the table at an offset.
func (c *tableCache) get(off uint64) (*table, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t := c.tables[off]; t != nil {
		return t, nil
	}
	if off&(c.i.cluster-1) != 0 {
		return nil, c.i.corrupt("the L2 table at %#x is not aligned", off)
	}
	entries, err := c.i.readTable(off, int(c.i.cluster/8))
	if err != nil {
		return nil, c.i.corrupt("the L2 table at %#x cannot be read: %v", off, err)
	}
	t := &table{off: off, entries: entries}
	c.add(t)
	return t, nil
}

// add enters a table, for which others that are not dirty may go.
func (c *tableCache) add(t *table) {
	for off, o := range c.tables {
		if uint64(len(c.tables))*c.i.cluster < cacheBytes {
			break
		}
		if !o.dirty {
			delete(c.tables, off)
		}
	}
	c.tables[t.off] = t
}

// put is add for whoever does not hold mu.
func (c *tableCache) put(t *table) {
	c.mu.Lock()
	c.add(t)
	c.mu.Unlock()
}

func (c *tableCache) drop(off uint64) {
	c.mu.Lock()
	delete(c.tables, off)
	c.mu.Unlock()
}

// write writes what is dirty, and reports whether anything was.
func (c *tableCache) write() (any bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range c.tables {
		if !t.dirty {
			continue
		}
		if err := c.i.writeTable(t.off, t.entries); err != nil {
			return true, err
		}
		t.dirty, any = false, true
	}
	return any, nil
}

// --- reference counts

// refcounts says how often each cluster of the file is used. Only who holds
// Image.mu for writing may use it.
type refcounts struct {
	i         *Image
	table     []uint64 // offsets of the blocks, 0 = none
	dirty     map[int]bool
	blocks    map[int]*refBlock
	blockBits uint32 // log2 of the counts in a block
	clusters  uint64 // of the file
	hint      uint64 // no cluster before it is free
	// freed are clusters that nothing uses any more once the tables are written.
	freed []uint64
}

type refBlock struct {
	off   uint64
	b     []byte
	dirty bool
}

func (r *refcounts) init(i *Image, length int64) error {
	h := i.h
	t, err := i.readTable(h.refTableOffset, int(uint64(h.refTableSize)*i.cluster/8))
	if err != nil {
		return err
	}
	*r = refcounts{
		i: i, table: t, dirty: make(map[int]bool), blocks: make(map[int]*refBlock),
		blockBits: h.clusterBits + 3 - h.refOrder, clusters: (uint64(length) + i.cluster - 1) >> h.clusterBits,
	}
	return nil
}

// split returns the block of a cluster's count, and which it is there.
func (r *refcounts) split(cluster uint64) (block int, n uint64) {
	return int(cluster >> r.blockBits), cluster & (1<<r.blockBits - 1)
}

// block returns a block, nil if there is none.
func (r *refcounts) block(n int) (*refBlock, error) {
	if b := r.blocks[n]; b != nil {
		return b, nil
	}
	if n >= len(r.table) || r.table[n]&^511 == 0 {
		return nil, nil
	}
	off := r.table[n] &^ 511
	if off&(r.i.cluster-1) != 0 {
		return nil, r.i.corrupt("the block of reference counts at %#x is not aligned", off)
	}
	b := &refBlock{off: off, b: make([]byte, r.i.cluster)}
	if n, err := r.i.f.ReadAt(b.b, int64(off)); n < len(b.b) {
		return nil, r.i.corrupt("the block of reference counts at %#x cannot be read: %v", off, err)
	}
	r.keep(n, b)
	return b, nil
}

func (r *refcounts) keep(n int, b *refBlock) {
	for k, o := range r.blocks {
		if uint64(len(r.blocks))*r.i.cluster < cacheBytes {
			break
		}
		if !o.dirty {
			delete(r.blocks, k)
		}
	}
	r.blocks[n] = b
}

// get returns a cluster's count.
func (r *refcounts) get(cluster uint64) (uint64, error) {
	k, n := r.split(cluster)
	b, err := r.block(k)
	if b == nil {
		return 0, err
	}
	return countAt(b.b, n, r.i.h.refOrder), nil
}

// set sets it; there is a block for it.
func (r *refcounts) set(cluster, count uint64) error {
	k, n := r.split(cluster)
	b, err := r.block(k)
	if err != nil {
		return err
	}
	if b == nil {
		return r.i.corrupt("cluster %d has no reference count", cluster)
	}
	setCount(b.b, n, r.i.h.refOrder, count)
	b.dirty = true
	return nil
}

// countAt is the nth number of 2^order bits in b. Those of less than a byte begin
// at its low bits.
func countAt(b []byte, n uint64, order uint32) uint64 {
	switch order {
	case 3:
		return uint64(b[n])
	case 4:
		return uint64(be.Uint16(b[2*n:]))
	case 5:
		return uint64(be.Uint32(b[4*n:]))
	case 6:
		return be.Uint64(b[8*n:])
	}
	bits := uint64(1) << order
	per := 8 / bits
	return uint64(b[n/per]) >> (n % per * bits) & (1<<bits - 1)
}

func setCount(b []byte, n uint64, order uint32, v uint64) {
	switch order {
	case 3:
		b[n] = byte(v)
	case 4:
		be.PutUint16(b[2*n:], uint16(v))
	case 5:
		be.PutUint32(b[4*n:], uint32(v))
	case 6:
		be.PutUint64(b[8*n:], v)
	default:
		bits := uint64(1) << order
		per := 8 / bits
		shift := n % per * bits
		mask := byte(1<<bits-1) << shift
		b[n/per] = b[n/per]&^mask | byte(v)<<shift
	}
}

// maxLost is how many clusters behind the end of the file may have been taken and
// never written, before the host failed.
const maxLost = 1 << 20

// alloc finds up to want free clusters one behind the other and takes them. It
// returns the first one's offset and how many there are, at least one.
func (r *refcounts) alloc(want uint64) (off, got uint64, err error) {
	first := r.hint
	for made := true; made; {
		for ; ; first++ {
			if first > r.clusters+maxLost {
				return 0, 0, r.i.corrupt("%d clusters behind the end of the file are in use", maxLost)
			}
			n, err := r.get(first)
			if err != nil {
				return 0, 0, err
			}
			if n == 0 {
				break
			}
		}
		if made, err = r.cover(first); err != nil {
			return 0, 0, err
		}
	}
	block, _ := r.split(first)
	for ; got < want; got++ {
		c := first + got
		if k, _ := r.split(c); k != block {
			break
		}
		if n, err := r.get(c); err != nil {
			return 0, 0, err
		} else if n != 0 {
			break
		}
		if err := r.set(c, 1); err != nil {
			return 0, 0, err
		}
	}
	r.hint = first + got
	r.clusters = max(r.clusters, first+got)
	return first << r.i.h.clusterBits, got, nil
}

// cover makes sure that there is a count for a cluster that is free. If a block had
// to be made it is in that cluster, or behind it.
func (r *refcounts) cover(cluster uint64) (made bool, err error) {
	k, n := r.split(cluster)
	if k >= len(r.table) {
		return true, r.grow(k)
	}
	if b, err := r.block(k); b != nil || err != nil {
		return false, err
	}
	off := cluster << r.i.h.clusterBits
	b := &refBlock{off: off, b: make([]byte, r.i.cluster), dirty: true}
	setCount(b.b, n, r.i.h.refOrder, 1)
	r.keep(k, b)
	r.table[k] = off
	r.dirty[k] = true
	r.clusters = max(r.clusters, cluster+1)
	return true, nil
}

// grow makes a larger table, for block k as well. It is put behind all that there
// is, with the blocks for it, and the header says so at once.
func (r *refcounts) grow(k int) error {
	i := r.i
	perTable := i.cluster / 8
	start := max(r.clusters, uint64(len(r.table))<<r.blockBits)
	size := uint64(len(r.table)) / perTable
	var blocks uint64
	for size += size/2 + 1; ; size++ {
		first, _ := r.split(start)
		blocks = 1
		for {
			last, _ := r.split(start + blocks + size - 1)
			if n := uint64(last-first) + 1; n > blocks {
				blocks = n
				continue
			}
			if uint64(max(last, k)) < size*perTable {
				break
			}
			blocks = 0
			break
		}
		if blocks != 0 {
			break
		}
	}
	if size*i.cluster > maxRefTable {
		return i.corrupt("it has become too large for its table of reference counts")
	}
	old, oldSize := i.h.refTableOffset, uint64(i.h.refTableSize)
	table := make([]uint64, size*perTable)
	copy(table, r.table)
	first, _ := r.split(start)
	for n := range blocks {
		off := (start + n) << i.h.clusterBits
		b := &refBlock{off: off, b: make([]byte, i.cluster), dirty: true}
		table[first+int(n)] = off
		r.blocks[first+int(n)] = b
	}
	r.table = table
	for c := range blocks + size {
		if err := r.set(start+c, 1); err != nil {
			return err
		}
	}
	if _, err := r.writeBlocks(); err != nil {
		return err
	}
	off := (start + blocks) << i.h.clusterBits
	if err := i.writeTable(off, table); err != nil {
		return err
	}
	if err := i.f.Sync(); err != nil {
		return err
	}
	var b [12]byte
	be.PutUint64(b[:], off)
	be.PutUint32(b[8:], uint32(size))
	if _, err := i.f.WriteAt(b[:], 48); err != nil {
		return err
	}
	clear(r.dirty)
	i.h.refTableOffset, i.h.refTableSize = off, uint32(size)
	r.clusters = start + blocks + size
	for c := range oldSize {
		r.freed = append(r.freed, old>>i.h.clusterBits+c)
	}
	return i.f.Sync()
}

// writeBlocks writes what is dirty, and reports whether anything was.
func (r *refcounts) writeBlocks() (any bool, err error) {
	for _, b := range r.blocks {
		if !b.dirty {
			continue
		}
		if _, err := r.i.f.WriteAt(b.b, int64(b.off)); err != nil {
			return true, err
		}
		b.dirty, any = false, true
	}
	return any, nil
}

// writeEntries writes the entries of the table that are new.
func (r *refcounts) writeEntries() error {
	for k := range r.dirty {
		if err := r.i.writeTable(r.i.h.refTableOffset+uint64(k)*8, r.table[k:k+1]); err != nil {
			return err
		}
		delete(r.dirty, k)
	}
	return nil
}

// release counts the freed clusters down.
func (r *refcounts) release() error {
	for _, c := range r.freed {
		n, err := r.get(c)
		if err != nil {
			return err
		}
		if n == 0 {
			return r.i.corrupt("cluster %d is in use but has the reference count 0", c)
		}
		if err := r.set(c, n-1); err != nil {
			return err
		}
		if n == 1 {
			r.hint = min(r.hint, c)
		}
	}
	r.freed = r.freed[:0]
	return nil
}
