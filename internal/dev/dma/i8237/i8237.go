// Package i8237 models the DMA of a PC: two Intel 8237A controllers (order
// number 231466-005), the first cascaded into channel 4 of the second, with
// the page registers around them. Channels 0..3 move bytes, 5..7 move words.
//
// A transfer takes no time: while a device holds DREQ high, the controller
// offers it as much as fits; the pace is the device's. Single, demand and
// block mode therefore differ only in what ends a service.
package i8237

import (
	"fmt"

	"rhea/internal/dev"
	"rhea/internal/mem"
	"rhea/internal/snap"
	"rhea/internal/vclock"
)

// Command register.
const (
	cmdMemToMem    = 1 << 0
	cmdCh0Hold     = 1 << 1
	cmdDisable     = 1 << 2
	cmdRotate      = 1 << 4
	cmdDREQLow     = 1 << 6
	cmdDACKHigh    = 1 << 7
	cmdSenseUnimpl = cmdDREQLow | cmdDACKHigh
)

// Mode register.
const (
	modeTypeMask = 3 << 2
	modeVerify   = 0 << 2
	modeWrite    = 1 << 2 // device to memory
	modeRead     = 2 << 2 // memory to device
	modeAutoinit = 1 << 4
	modeDecr     = 1 << 5
	modeCascade  = 3 << 6
)

// Peer is the device on a channel. The controller calls it while the device
// holds DREQ high and the guest has programmed the channel, possibly from
// within Channel.Request; the device may change DREQ from within the calls.
//
// Both methods return how many bytes of p the device dealt with. A device
// that returns less than len(p) has no more for now: it is asked again when it
// calls Request(true) anew, whether or not DREQ was low in between. Tc says
// that the last byte of p is the last of the count: if the device deals with
// all of p, that byte came with EOP (terminal count). On 16-bit channels
// len(p) is even, and what a device returns is rounded down to a word.
type Peer interface {
	// DMARead gives the device what was read from memory.
	DMARead(p []byte, tc bool) (n int)
	// DMAWrite has the device fill p, which goes to memory (in a verify
	// transfer to nowhere).
	DMAWrite(p []byte, tc bool) (n int)
}

// Poller is a Peer that moves data as time passes, in pieces. DMAPoll is called
// before the guest reads the channel's address or count: the peer requests
// what is due by now.
type Poller interface{ DMAPoll() }

// Config connects the controllers.
type Config struct {
	Env dev.Env
	// Memory is what the controllers master.
	Memory *mem.Space
	// POST, if not nil, is told of writes to port 80h.
	POST func(code uint8)
}

const (
	// chunk is the most that is offered to a device at once.
	chunk = 4096
	// budget is the most that one request moves before other things of the
	// machine have their turn.
	budget = 1 << 18
	pause  = vclock.Second / 1000
)

// channel is one of eight; counts and addresses are in units of its width.
type channel struct {
	baseAddr, baseCount uint16
	addr, count         uint16
	mode                uint8
	page, high          uint8
}

// chip is one 8237A.
type chip struct {
	command  uint8
	status   uint8 // TC bits
	mask     uint8
	dreq     uint8 // pins
	soft     uint8 // request register
	temp     uint8
	flipflop bool
	first    uint8 // of highest priority
	ch       [4]channel
}

// DMA is the pair.
type DMA struct {
	c     Config
	chip  [2]chip
	pages [16]uint8 // as written, for those without a channel
	peer  [8]Peer
	// When the service that used up its budget goes on, 0 = there is none.
	resume int64
	timer  *vclock.Timer
	busy   bool
	buf    [chunk]byte
}

// New returns the controllers.
func New(c Config) *DMA {
	d := &DMA{c: c}
	d.timer = c.Env.Clock.NewTimer(func() {
		d.resume = 0
		d.run()
	})
	d.Reset()
	return d
}

// Reset implements dev.Device.
func (d *DMA) Reset() {
	for i := range d.chip {
		c := &d.chip[i]
		dreq := c.dreq
		*c = chip{dreq: dreq}
		c.masterClear()
	}
	d.pages = [16]uint8{}
	d.resume = 0
	d.timer.Stop()
}

// masterClear is what RESET and the master clear command do.
func (c *chip) masterClear() {
	c.command, c.status, c.soft, c.temp, c.first = 0, 0, 0, 0, 0
	c.flipflop = false
	c.mask = 0xf
}

// Regions returns the register windows: of the 8-bit channels (ports
// 00h-0Fh), of the 16-bit channels (C0h-DFh), the page registers (80h-8Fh)
// and the high page registers (480h-48Fh).
func (d *DMA) Regions() (low, word, pages, high *mem.Region) {
	regs := func(name string, n int, shift uint) *mem.Region {
		return mem.NewIO(name, 16<<shift, mem.Handlers{
			R: func(off uint64, _ int) uint64 { return uint64(d.read(n, off>>shift&15)) },
			W: func(off uint64, _ int, v uint64) { d.write(n, off>>shift&15, uint8(v)) },
		}).Sizes(1, 1)
	}
	p := mem.Handlers{
		R: func(off uint64, _ int) uint64 { return uint64(d.readPage(off & 15)) },
		W: func(off uint64, _ int, v uint64) { d.writePage(off&15, uint8(v)) },
	}
	h := mem.Handlers{
		R: func(off uint64, _ int) uint64 {
			if n := pageChannel[off&15]; n >= 0 {
				return uint64(d.chip[n/4].ch[n%4].high)
			}
			return 0xff
		},
		W: func(off uint64, _ int, v uint64) {
			if n := pageChannel[off&15]; n >= 0 {
				d.chip[n/4].ch[n%4].high = uint8(v)
			}
		},
	}
	return regs("dma1", 0, 0), regs("dma2", 1, 1),
		mem.NewIO("dma page", 16, p).Sizes(1, 1), mem.NewIO("dma high page", 16, h).Sizes(1, 1)
}

// pageChannel tells which channel's a page register is, -1 = nobody's.
var pageChannel = [16]int{
	-1, 2, 3, 1, -1, -1, -1, 0, -1, 6, 7, 5, -1, -1, -1, 4,
}

func (d *DMA) readPage(off uint64) uint8 {
	if n := pageChannel[off]; n >= 0 {
		return d.chip[n/4].ch[n%4].page
	}
	return d.pages[off]
}

func (d *DMA) writePage(off uint64, v uint8) {
	if off == 0 && d.c.POST != nil {
		d.c.POST(v)
	}
	if n := pageChannel[off]; n >= 0 {
		c := &d.chip[n/4].ch[n%4]
		// EISA: a write to the low page register clears the high one, for
		// programs that do not know of it.
		c.page, c.high = v, 0
		return
	}
	d.pages[off] = v
}

// read reads register off of a chip.
func (d *DMA) read(n int, off uint64) uint8 {
	c := &d.chip[n]
	if off < 8 {
		if p, ok := d.peer[n*4+int(off/2)].(Poller); ok && !d.busy {
			p.DMAPoll()
		}
		ch := &c.ch[off/2]
		v := ch.addr
		if off&1 != 0 {
			v = ch.count
		}
		if c.flipflop {
			v >>= 8
		}
		c.flipflop = !c.flipflop
		return uint8(v)
	}
	switch off {
	case 8: // status; the read clears the TC bits
		v := c.status | (c.dreq|c.soft)<<4
		c.status = 0
		return v
	case 13: // temporary
		return c.temp
	case 15: // all masks (PIIX3)
		return 0xf0 | c.mask
	}
	d.c.Env.Log.Guest("i8237: read of write-only register %d", off)
	return 0xff
}

func (d *DMA) write(n int, off uint64, v uint8) {
	c := &d.chip[n]
	if off < 8 {
		c.writeAddress(off, v)
		return
	}
	bit := uint8(1) << (v & 3)
	switch off {
	case 8:
		c.command = v
		if v&cmdSenseUnimpl != 0 {
			d.c.Env.Log.Unimp("i8237: sense of DREQ and DACK (command %#x)", v)
		}
	case 9: // request
		c.soft &^= bit
		if v&4 != 0 {
			c.soft |= bit
		}
	case 10: // single mask
		c.mask &^= bit
		if v&4 != 0 {
			c.mask |= bit
		}
	case 11:
		c.ch[v&3].mode = v &^ 3
	case 12:
		c.flipflop = false
	case 13:
		c.masterClear()
	case 14:
		c.mask = 0
	case 15:
		c.mask = v & 0xf
	}
	d.run()
}

func (c *chip) writeAddress(off uint64, v uint8) {
	ch := &c.ch[off/2]
	base, cur := &ch.baseAddr, &ch.addr
	if off&1 != 0 {
		base, cur = &ch.baseCount, &ch.count
	}
	if c.flipflop {
		*base = *base&0xff | uint16(v)<<8
	} else {
		*base = *base&0xff00 | uint16(v)
	}
	*cur = *base
	c.flipflop = !c.flipflop
}

// Channel is a device's end of a DMA channel.
type Channel struct {
	d *DMA
	n int
}

// Channel returns channel n: 0..3 are 8 bits wide, 5..7 16.
func (d *DMA) Channel(n int) *Channel {
	if n < 0 || n > 7 || n == 4 {
		panic(fmt.Sprintf("BUG: i8237: no channel %d", n))
	}
	return &Channel{d, n}
}

// Attach names the device on the channel.
func (c *Channel) Attach(p Peer) { c.d.peer[c.n] = p }

// Request drives DREQ. High has data moved at once as far as the guest has
// programmed the channel, else when it does.
func (c *Channel) Request(level bool) {
	chip, bit := &c.d.chip[c.n/4], uint8(1)<<(c.n%4)
	if !level {
		chip.dreq &^= bit
		return
	}
	chip.dreq |= bit
	c.d.run()
}

// Ready reports whether the guest has enabled the channel.
func (c *Channel) Ready() bool { return c.d.enabled(c.n) }

// TransferSize returns how many bytes are left of the channel's count.
func (c *Channel) TransferSize() int {
	return (int(c.d.chip[c.n/4].ch[c.n%4].count) + 1) << (c.n / 4)
}

// enabled reports whether requests of channel n reach the CPU's HOLD.
func (d *DMA) enabled(n int) bool {
	c := &d.chip[n/4]
	if c.command&cmdDisable != 0 || c.mask>>(n%4)&1 != 0 {
		return false
	}
	if n >= 4 {
		return true
	}
	second := &d.chip[1]
	return second.command&cmdDisable == 0 && second.mask&1 == 0 &&
		second.ch[0].mode&modeCascade == modeCascade
}

// next returns the channel to serve, -1 if there is none. Stalled are those
// whose device had nothing more.
func (d *DMA) next(stalled uint8) int {
	// The first chip comes in through channel 4, the first of the second.
	for i := range uint8(4) {
		n2 := (d.chip[1].first + i) & 3
		if n2 != 0 {
			if n := 4 + int(n2); d.wants(n, stalled) {
				return n
			}
			continue
		}
		for j := range uint8(4) {
			if n := int(d.chip[0].first+j) & 3; d.wants(n, stalled) {
				return n
			}
		}
	}
	return -1
}

// wants reports whether channel n is to be served. The mask holds back pins,
// not the request register.
func (d *DMA) wants(n int, stalled uint8) bool {
	c, bit := &d.chip[n/4], uint8(1)<<(n%4)
	if stalled>>n&1 != 0 || c.ch[n%4].mode&modeCascade == modeCascade {
		return false
	}
	if c.soft&bit != 0 {
		return c.command&cmdDisable == 0
	}
	return c.dreq&bit != 0 && d.peer[n] != nil && d.enabled(n)
}

// run serves requests. It is called when one may have become due; a device or
// a transfer that comes back to the controller does not nest.
func (d *DMA) run() {
	if d.busy {
		return
	}
	d.busy = true
	stalled, moved := uint8(0), 0
	for {
		n := d.next(stalled)
		if n < 0 {
			break
		}
		if moved >= budget {
			d.resume = d.c.Env.Clock.Now() + pause
			d.timer.Set(d.resume)
			break
		}
		c := &d.chip[n/4]
		var did int
		if n == 0 && c.soft&1 != 0 && c.command&cmdMemToMem != 0 {
			did = d.copyMemory()
		} else {
			did = d.transfer(n)
		}
		if did == 0 {
			stalled |= 1 << n
		}
		moved += max(did, 1)
		if c.command&cmdRotate != 0 {
			c.first = uint8(n+1) & 3
		}
	}
	d.busy = false
}

// address returns the memory address of a unit of channel n.
func (d *DMA) address(n int, unit uint16) uint64 {
	ch := &d.chip[n/4].ch[n%4]
	if n < 4 {
		return uint64(ch.high)<<24 | uint64(ch.page)<<16 | uint64(unit)
	}
	return uint64(ch.high)<<24 | uint64(ch.page&0xfe)<<16 | uint64(unit)<<1
}

// transfer moves one piece, and returns its number of bytes.
func (d *DMA) transfer(n int) int {
	c := &d.chip[n/4]
	ch := &c.ch[n%4]
	shift := n / 4
	// A piece does not cross the end of the 64K units that the address
	// register counts.
	room := 0x10000 - int(ch.addr)
	if ch.mode&modeDecr != 0 {
		room = int(ch.addr) + 1
	}
	units := min(int(ch.count)+1, room, chunk>>shift)
	p := d.buf[:units<<shift]
	tc := units == int(ch.count)+1
	base := ch.addr
	if ch.mode&modeDecr != 0 {
		base = ch.addr - uint16(units-1)
	}
	at := d.address(n, base)
	mode := ch.mode
	did := len(p)
	peer := d.peer[n]
	switch mode & modeTypeMask {
	case modeRead:
		d.c.Memory.ReadBytes(at, p)
		if mode&modeDecr != 0 {
			reverse(p, 1<<shift)
		}
		if peer != nil {
			did = peer.DMARead(p, tc)
		}
	case modeWrite:
		if peer != nil {
			did = peer.DMAWrite(p, tc)
		} else {
			clear(p)
		}
		did = min(max(did, 0), len(p)) >> shift << shift
		w := p[:did]
		if mode&modeDecr != 0 {
			reverse(w, 1<<shift)
			at = d.address(n, ch.addr-uint16(did>>shift)+1)
		}
		d.c.Memory.WriteBytes(at, w)
	case modeVerify:
		if peer != nil {
			did = peer.DMAWrite(p, tc)
		}
	default:
		d.c.Env.Log.Guest("i8237: channel %d: illegal transfer type", n)
		return 0
	}
	did = min(max(did, 0), len(p)) >> shift << shift
	d.moved(n, did>>shift)
	return did
}

// moved counts units of channel n.
func (d *DMA) moved(n, units int) {
	c, bit := &d.chip[n/4], uint8(1)<<(n%4)
	ch := &c.ch[n%4]
	if units == 0 {
		return
	}
	if ch.mode&modeDecr != 0 {
		ch.addr -= uint16(units)
	} else {
		ch.addr += uint16(units)
	}
	left := int(ch.count) + 1 - units
	ch.count = uint16(left - 1)
	if left > 0 {
		return
	}
	c.status |= bit
	c.soft &^= bit
	if ch.mode&modeAutoinit != 0 {
		ch.addr, ch.count = ch.baseAddr, ch.baseCount
	} else {
		c.mask |= bit
	}
}

// copyMemory is a memory-to-memory transfer: channel 0 reads, channel 1
// writes and counts (§"Memory-to-Memory"). Only bytes, by software request.
func (d *DMA) copyMemory() int {
	c := &d.chip[0]
	src, dst := &c.ch[0], &c.ch[1]
	done := 0
	for c.soft&1 != 0 && done < chunk {
		c.temp = uint8(d.c.Memory.Read(d.address(0, src.addr), 1))
		d.c.Memory.Write(d.address(1, dst.addr), 1, uint64(c.temp))
		done++
		if c.command&cmdCh0Hold == 0 {
			if src.mode&modeDecr != 0 {
				src.addr--
			} else {
				src.addr++
			}
		}
		last := dst.count == 0
		d.moved(1, 1)
		if last {
			c.soft &^= 1
			if src.mode&modeAutoinit != 0 {
				src.addr, src.count = src.baseAddr, src.baseCount
			}
		}
	}
	return done
}

// reverse turns round the order of the units of w bytes in p.
func reverse(p []byte, w int) {
	for i, j := 0, len(p)-w; i < j; i, j = i+w, j-w {
		for k := range w {
			p[i+k], p[j+k] = p[j+k], p[i+k]
		}
	}
}

// State implements dev.Device.
func (d *DMA) State(s *snap.Section) {
	s.Version(1)
	s.Bytes("pages", d.pages[:])
	s.I64("resume", &d.resume)
	if s.Loading() {
		d.timer.Stop()
		if d.resume != 0 {
			d.timer.Set(d.resume)
		}
	}
	for i := range d.chip {
		s.Sub(fmt.Sprint("chip", i), d.chip[i].state)
	}
}

func (c *chip) state(s *snap.Section) {
	s.Version(1)
	s.U8("command", &c.command)
	s.U8("status", &c.status)
	s.U8("mask", &c.mask)
	s.U8("dreq", &c.dreq)
	s.U8("soft", &c.soft)
	s.U8("temp", &c.temp)
	s.Bool("flipflop", &c.flipflop)
	s.U8("first", &c.first)
	s.Check(c.status < 16 && c.mask < 16 && c.dreq < 16 && c.soft < 16 && c.first < 4, "a register is out of range")
	for i := range c.ch {
		ch := &c.ch[i]
		s.Sub(fmt.Sprint("channel", i), func(s *snap.Section) {
			s.Version(1)
			s.U16("base_addr", &ch.baseAddr)
			s.U16("base_count", &ch.baseCount)
			s.U16("addr", &ch.addr)
			s.U16("count", &ch.count)
			s.U8("mode", &ch.mode)
			s.U8("page", &ch.page)
			s.U8("high", &ch.high)
		})
	}
}
