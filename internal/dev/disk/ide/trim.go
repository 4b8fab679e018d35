package ide

import (
	"encoding/binary"

	"rhea/internal/block"
)

// maxTrim is the most blocks of ranges that a DATA SET MANAGEMENT command has, word
// 105 of IDENTIFY data.
const maxTrim = 8

// cmdDataSet is DATA SET MANAGEMENT (ATA8-ACS §7.10) with TRIM, the only thing there
// is to manage: blocks of ranges of sectors that the host no longer needs follow.
func (d *drive) cmdDataSet() {
	n := int(d.count[1])<<8 | int(d.count[0])
	if d.ch.c.DMA == nil || d.q == nil || d.feature[0] != 1 || n == 0 || n > maxTrim {
		d.abort()
		return
	}
	d.op, d.left = opTrim, 0
	d.pos, d.stop, d.end = 0, n*sectorSize, n*sectorSize
	d.status = d.ready() | stDRQ
	d.dmaRun()
}

// trim forgets the ranges of the buffer from byte pos on, one after the other: 48 bits
// of address, 16 of length, which may be 0.
func (d *drive) trim(pos int) {
	for ; pos < d.end; pos += 8 {
		v := binary.LittleEndian.Uint64(d.buf[pos:])
		lba, n := v&(1<<48-1), v>>48
		if n == 0 {
			continue
		}
		if lba > d.maxLBA || n > d.maxLBA+1-lba {
			d.endDMA()
			d.fail(erIDNF)
			return
		}
		d.request(block.Discard, int64(lba)*sectorSize, nil, int64(n)*sectorSize, func(err error) {
			if err != nil {
				d.next = lba
				d.mediumError(err)
				return
			}
			d.trim(pos + 8)
		})
		return
	}
	d.endDMA()
	d.finish()
}
