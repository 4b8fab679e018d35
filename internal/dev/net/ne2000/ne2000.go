// Package ne2000 models the Novell NE2000: a National Semiconductor DP8390D
// (datasheet of July 1995) with 16 KiB of buffer memory, as an ISA card or as
// Realtek's RTL8029AS (datasheet of January 1997), which is the same on PCI.
package ne2000

import (
	"hash/crc32"

	"rhea/internal/bus/pci"
	"rhea/internal/dev"
	"rhea/internal/irq"
	"rhea/internal/mem"
	"rhea/internal/netdev"
	"rhea/internal/snap"
)

// Registers of the DP8390D (§10): page 0 as read / as written, page 1.
const (
	regCR = 0x0 // in all pages

	regCLDA0 = 0x1 // / PSTART
	regCLDA1 = 0x2 // / PSTOP
	regBNRY  = 0x3
	regTSR   = 0x4 // / TPSR
	regNCR   = 0x5 // / TBCR0
	regFIFO  = 0x6 // / TBCR1
	regISR   = 0x7
	regCRDA0 = 0x8 // / RSAR0
	regCRDA1 = 0x9 // / RSAR1
	regID0   = 0xa // RTL8029AS / RBCR0
	regID1   = 0xb // RTL8029AS / RBCR1
	regRSR   = 0xc // / RCR
	regCNTR0 = 0xd // / TCR
	regCNTR1 = 0xe // / DCR
	regCNTR2 = 0xf // / IMR

	regPAR0 = 0x1 // page 1
	regCURR = 0x7
	regMAR0 = 0x8

	reg9346CR  = 0x1 // page 3 of the RTL8029AS (§5.2)
	regCONFIG0 = 0x3
	regCONFIG2 = 0x5
	regCONFIG3 = 0x6
	regASID0   = 0xe
	regASID1   = 0xf

	portData  = 0x10
	portReset = 0x18
)

// Bits of CR.
const (
	crSTP = 1 << 0
	crSTA = 1 << 1
	crTXP = 1 << 2
	crRD  = 7 << 3

	rdRead  = 1 << 3
	rdWrite = 2 << 3
	rdSend  = 3 << 3
	rdAbort = 4 << 3
)

// Bits of ISR and IMR.
const (
	isrPRX = 1 << 0
	isrPTX = 1 << 1
	isrOVW = 1 << 4
	isrCNT = 1 << 5
	isrRDC = 1 << 6
	isrRST = 1 << 7
)

// Bits of RCR, RSR, TCR, TSR, DCR.
const (
	rcrAR  = 1 << 1
	rcrAB  = 1 << 2
	rcrAM  = 1 << 3
	rcrPRO = 1 << 4
	rcrMON = 1 << 5

	rsrPRX = 1 << 0
	rsrMPA = 1 << 4
	rsrPHY = 1 << 5
	rsrDIS = 1 << 6

	tcrLB = 3 << 1

	tsrPTX = 1 << 0

	dcrWTS = 1 << 0
)

// The card's memory as the DP8390D's local DMA sees it: the PROM at 0, the
// buffer at 4000h.
const (
	bufferAt = 0x4000
	bufferN  = 0x4000
	promN    = 32
)

// Config describes a card.
type Config struct {
	Env dev.Env
	Net netdev.Port // nil = the socket is empty
	MAC netdev.MAC

	// IRQ is the ISA card's line.
	IRQ irq.Line

	// Bus, if not nil, makes it a PCI function at Device, with an option ROM.
	Bus    *pci.Bus
	Device int
	ROM    []byte
}

// Card is an NE2000.
type Card struct {
	c    Config
	fn   *pci.Function // nil on ISA
	io   *mem.Region
	prom [promN]byte
	link bool

	regs
	ram  [bufferN]byte
	runt [netdev.MinFrame]byte
}

// regs is the DP8390D's register file.
type regs struct {
	cr, isr, imr     uint8
	pstart, pstop    uint8
	bnry, curr       uint8
	tsr, rsr         uint8
	tpsr             uint8
	rcr, tcr, dcr    uint8
	tbcr, rsar, rbcr uint16
	cntr             [3]uint8
	par              [6]uint8
	mar              [8]uint8
	ee, conf2, conf3 uint8 // RTL8029AS
	sending          bool  // a send packet command is under way:
	sendNext         uint8 // where BNRY goes then
	blocked          bool  // a frame waits for room
}

// New returns a card. A PCI one is plugged into c.Bus.
func New(c Config) *Card {
	k := &Card{c: c}
	// The PROM is 8 bits wide and appears twice in each word (NE2000).
	for i, b := range c.MAC {
		k.prom[2*i], k.prom[2*i+1] = b, b
	}
	for i := 28; i < promN; i++ {
		k.prom[i] = 'W' // of a card with 16 bits
	}
	size := uint64(32)
	if c.Bus != nil {
		size = 256
	}
	k.io = mem.NewIO("ne2000", size, k).Sizes(1, 4)
	if c.Bus != nil {
		k.fn = pci.NewFunction(pci.Header{Name: "RTL8029AS", Vendor: 0x10ec, Device: 0x8029, Class: 0x020000,
			SubVendor: 0x1af4, SubDevice: 0x1100, Pin: 1})
		k.fn.IOBAR(0, k.io)
		if len(c.ROM) > 0 {
			k.fn.ROM(c.ROM)
		}
		c.Bus.Plug(c.Device, 0, k.fn)
	}
	k.Reset()
	if c.Net != nil {
		c.Net.Attach(k)
	}
	return k
}

// Region returns the 32 ports of an ISA card.
func (k *Card) Region() *mem.Region { return k.io }

// Function returns the PCI function, nil of an ISA card.
func (k *Card) Function() *pci.Function { return k.fn }

// MAC returns the address in the PROM.
func (k *Card) MAC() netdev.MAC { return k.c.MAC }

// Reset implements dev.Device (§10.1: what a reset affects).
func (k *Card) Reset() {
	k.regs = regs{}
	k.ram = [bufferN]byte{}
	k.stop()
	if k.fn != nil {
		k.fn.Reset()
	}
}

// stop is the RESET pin.
func (k *Card) stop() {
	k.cr = crSTP | rdAbort
	k.isr = isrRST
	k.imr = 0
	k.dcr &^= 1 << 2
	k.tcr &^= tcrLB
}

// Settle implements dev.Settler.
func (k *Card) Settle() {
	level := k.isr&k.imr&^isrRST != 0
	if k.fn != nil {
		k.fn.SetIRQ(level)
	} else {
		k.c.IRQ.Set(level)
	}
}

// State implements dev.Device.
func (k *Card) State(s *snap.Section) {
	s.Version(1)
	if k.fn != nil {
		s.Sub("pci", k.fn.State)
	}
	for _, f := range []struct {
		name string
		p    *uint8
	}{{"cr", &k.cr}, {"isr", &k.isr}, {"imr", &k.imr}, {"pstart", &k.pstart}, {"pstop", &k.pstop}, {"bnry", &k.bnry}, {"curr", &k.curr},
		{"tsr", &k.tsr}, {"rsr", &k.rsr}, {"tpsr", &k.tpsr}, {"rcr", &k.rcr}, {"tcr", &k.tcr}, {"dcr", &k.dcr},
		{"9346cr", &k.ee}, {"config2", &k.conf2}, {"config3", &k.conf3}, {"send-next", &k.sendNext}} {
		s.U8(f.name, f.p)
	}
	s.Bool("sending", &k.sending)
	s.Bool("blocked", &k.blocked)
	s.U16("tbcr", &k.tbcr)
	s.U16("rsar", &k.rsar)
	s.U16("rbcr", &k.rbcr)
	s.Bytes("cntr", k.cntr[:])
	s.Bytes("par", k.par[:])
	s.Bytes("mar", k.mar[:])
	s.Bytes("ram", k.ram[:])
}

// Read implements mem.MMIO.
func (k *Card) Read(off uint64, size int) uint64 {
	if off &= 0x1f; off >= portData && off < portReset {
		return k.dataIn(size)
	}
	var v uint64
	for i := range size {
		v |= uint64(k.in((off+uint64(i))&0x1f)) << (8 * i)
	}
	return v
}

// Write implements mem.MMIO.
func (k *Card) Write(off uint64, size int, v uint64) {
	if off &= 0x1f; off >= portData && off < portReset {
		k.dataOut(size, v)
		return
	}
	for i := range size {
		k.out((off+uint64(i))&0x1f, uint8(v>>(8*i)))
	}
	k.Settle()
}

// stream returns where in the buffer n bytes of remote DMA lie, if they are
// words of one piece of it, before the end of the ring.
func (k *Card) stream(rd uint8, off uint64, size, n int) []byte {
	at := int(k.rsar) - bufferAt
	if k.cr&crRD != rd || off&0x1f != portData || size < 2 || k.dcr&dcrWTS == 0 || n > int(k.rbcr) || at < 0 || at+n > bufferN {
		return nil
	}
	if stop := int(k.pstop)<<8 - int(k.rsar); stop > 0 && stop < n {
		return nil
	}
	return k.ram[at : at+n]
}

// ReadStream implements mem.Streamer.
func (k *Card) ReadStream(off uint64, size int, p []byte) bool {
	n := copy(p, k.stream(rdRead, off, size, len(p)))
	k.moved(uint16(n))
	return n > 0
}

// WriteStream implements mem.Streamer.
func (k *Card) WriteStream(off uint64, size int, p []byte) bool {
	n := copy(k.stream(rdWrite, off, size, len(p)), p)
	k.moved(uint16(n))
	return n > 0
}

func (k *Card) in(off uint64) uint8 {
	switch {
	case off >= portReset:
		k.stop()
		k.Settle()
		return 0
	case off >= portData: // the end of a wider access
		return 0xff
	case off == regCR:
		return k.cr
	}
	switch k.cr >> 6 {
	case 0:
		return k.page0(off)
	case 1:
		switch {
		case off == regCURR:
			return k.curr
		case off >= regMAR0:
			return k.mar[off-regMAR0]
		}
		return k.par[off-regPAR0]
	case 2:
		return k.page2(off)
	}
	return k.page3(off)
}

func (k *Card) page0(off uint64) uint8 {
	switch off {
	case regBNRY:
		return k.bnry
	case regTSR:
		return k.tsr
	case regISR:
		return k.isr
	case regCRDA0:
		return uint8(k.rsar)
	case regCRDA1:
		return uint8(k.rsar >> 8)
	case regID0, regID1: // RTL8029AS §5.1: "P", "C"
		if k.fn != nil {
			return "PC"[off-regID0]
		}
		return 0xff
	case regRSR:
		return k.rsr
	case regCNTR0, regCNTR1, regCNTR2: // cleared by reading
		v := k.cntr[off-regCNTR0]
		k.cntr[off-regCNTR0] = 0
		return v
	}
	return 0
}

func (k *Card) page2(off uint64) uint8 {
	switch off {
	case 0x1:
		return k.pstart
	case 0x2:
		return k.pstop
	case 0x4:
		return k.tpsr
	case 0xc:
		return k.rcr | 0xc0
	case 0xd:
		return k.tcr | 0xe0
	case 0xe:
		return k.dcr | 0x80
	case 0xf:
		return k.imr | 0x80
	}
	return 0
}

func (k *Card) page3(off uint64) uint8 {
	if k.fn == nil {
		return 0xff // no such page in a DP8390D
	}
	switch off {
	case reg9346CR:
		return k.ee & 0xfe
	case regCONFIG2:
		return k.conf2
	case regCONFIG3:
		return k.conf3
	case regASID0:
		return 0x29
	case regASID1:
		return 0x80
	}
	return 0
}

func (k *Card) out(off uint64, v uint8) {
	switch {
	case off >= portData: // the reset of a read lasts until a write
		return
	case off == regCR:
		k.command(v)
		return
	}
	switch k.cr >> 6 {
	case 0:
		k.setPage0(off, v)
	case 1:
		switch {
		case off == regCURR:
			k.curr = v
			k.ready()
		case off >= regMAR0:
			k.mar[off-regMAR0] = v
		default:
			k.par[off-regPAR0] = v
		}
	case 3:
		k.setPage3(off, v)
	default:
		k.c.Env.Log.Guest("ne2000: write of %#x to register %#x of page %d", v, off, k.cr>>6)
	}
}

func (k *Card) setPage0(off uint64, v uint8) {
	low := func(r *uint16) { *r = *r&0xff00 | uint16(v) }
	high := func(r *uint16) { *r = *r&0xff | uint16(v)<<8 }
	switch off {
	case 0x1:
		k.pstart = v
	case 0x2:
		k.pstop = v
	case regBNRY:
		k.bnry = v
		k.ready()
	case 0x4:
		k.tpsr = v
	case 0x5:
		low(&k.tbcr)
	case 0x6:
		high(&k.tbcr)
	case regISR: // RST goes when the chip is started
		k.isr &^= v &^ isrRST
		if k.blocked {
			k.isr |= isrPRX
		}
	case 0x8:
		low(&k.rsar)
	case 0x9:
		high(&k.rsar)
	case 0xa:
		low(&k.rbcr)
	case 0xb:
		high(&k.rbcr)
	case 0xc:
		k.rcr = v & 0x3f
	case 0xd:
		k.tcr = v & 0x1f
		k.ready()
	case 0xe:
		k.dcr = v & 0x7f
	case 0xf:
		k.imr = v & 0x7f
	}
}

func (k *Card) setPage3(off uint64, v uint8) {
	if k.fn == nil {
		return
	}
	switch {
	case off == reg9346CR:
		k.ee = v
	case k.ee>>6 != 3: // only "config register write enable" opens them
	case off == regCONFIG2:
		k.conf2 = v & 0xf0
	case off == regCONFIG3:
		k.conf3 = v & 0x76
	}
}

// command is a write of CR.
func (k *Card) command(v uint8) {
	txp := k.cr & crTXP
	k.cr = v&^crTXP | txp // TXP is cleared by the chip only
	if v&crSTP != 0 {
		k.isr |= isrRST
		k.cr &^= crTXP
		k.ready() // what comes is lost from now on
		return
	}
	k.isr &^= isrRST
	switch v & crRD {
	case rdSend:
		k.sendPacket()
		fallthrough
	case rdRead, rdWrite:
		// The count is compared before the first transfer: there are none, yet
		// the operation is complete.
		if k.rbcr == 0 {
			k.isr |= isrRDC
		}
	}
	if v&crTXP != 0 {
		k.cr |= crTXP
		k.transmit()
	}
	k.ready()
}

// sendPacket begins the remote read of the oldest packet (§7.3): it is at
// BNRY, its length is in its header.
func (k *Card) sendPacket() {
	at := uint16(k.bnry) << 8
	k.rsar = at
	k.rbcr = uint16(k.memory(at+2)) | uint16(k.memory(at+3))<<8
	k.sendNext, k.sending = k.memory(at+1), true
}

// memory reads a byte of local memory.
func (k *Card) memory(addr uint16) uint8 {
	switch {
	case addr < bufferAt:
		return k.prom[addr%promN]
	case addr < bufferAt+bufferN:
		return k.ram[addr-bufferAt]
	}
	return 0xff
}

// moved counts n bytes of remote DMA. The address wraps where the receive
// ring does.
func (k *Card) moved(n uint16) {
	if n == 0 {
		return
	}
	k.rsar += n
	if k.rsar == uint16(k.pstop)<<8 {
		k.rsar = uint16(k.pstart) << 8
	}
	if k.rbcr -= min(n, k.rbcr); k.rbcr == 0 {
		k.isr |= isrRDC
		if k.sending {
			k.sending, k.bnry = false, k.sendNext
			k.ready()
		}
		k.Settle()
	}
}

// width is how many bytes an access of so many moves: the card's bus has words
// or, without WTS, bytes (§10.7). A byte is the lower half of a word.
func (k *Card) width(size int) int {
	if k.dcr&dcrWTS == 0 {
		return 1
	}
	return max(size, 2)
}

// dataIn reads the data port.
func (k *Card) dataIn(size int) uint64 {
	rd := k.cr & crRD
	if rd != rdRead && rd != rdSend || k.rbcr == 0 {
		return ^uint64(0) >> (64 - 8*size)
	}
	n := k.width(size)
	// What drivers do most: words of the buffer.
	if off := int(k.rsar) - bufferAt; n > 1 && off >= 0 && off+n <= bufferN && off&(n-1) == 0 && int(k.rbcr) >= n {
		v := uint64(k.ram[off]) | uint64(k.ram[off+1])<<8
		if n == 4 {
			v |= uint64(k.ram[off+2])<<16 | uint64(k.ram[off+3])<<24
		}
		k.moved(uint16(n))
		return v
	}
	var v uint64
	for i := range n {
		v |= uint64(k.memory(k.rsar)) << (8 * i)
		k.moved(1)
	}
	return v & (^uint64(0) >> (64 - 8*size))
}

// dataOut writes the data port.
func (k *Card) dataOut(size int, v uint64) {
	if k.cr&crRD != rdWrite || k.rbcr == 0 {
		return
	}
	n := k.width(size)
	if off := int(k.rsar) - bufferAt; n > 1 && off >= 0 && off+n <= bufferN && off&(n-1) == 0 && int(k.rbcr) >= n {
		k.ram[off], k.ram[off+1] = uint8(v), uint8(v>>8)
		if n == 4 {
			k.ram[off+2], k.ram[off+3] = uint8(v>>16), uint8(v>>24)
		}
		k.moved(uint16(n))
		return
	}
	for i := range n {
		if off := int(k.rsar) - bufferAt; off >= 0 && off < bufferN {
			k.ram[off] = uint8(v >> (8 * i))
		}
		k.moved(1)
	}
}

// transmit sends the frame at TPSR. If the network has no room TXP stays set
// until it has.
func (k *Card) transmit() {
	if k.cr&crTXP == 0 {
		return
	}
	at := int(k.tpsr) << 8
	if at >= bufferAt+bufferN {
		at -= bufferN // the buffer is seen again above itself
	}
	n := int(k.tbcr)
	switch {
	case at < bufferAt || at+n > bufferAt+bufferN:
		k.c.Env.Log.Guest("ne2000: frame of %d bytes at %#x is outside the buffer", n, at)
	case k.tcr&tcrLB != 0:
		k.loopback(k.ram[at-bufferAt : at-bufferAt+n])
	case n > netdev.MaxFrame || n == 0 || k.c.Net == nil:
	case !k.c.Net.Deliver(k.ram[at-bufferAt : at-bufferAt+n]):
		return
	}
	k.tsr = tsrPTX
	k.isr |= isrPTX
	k.cr &^= crTXP
}

// loopback gives a frame to the receiver (§9): it is stored as others are.
func (k *Card) loopback(frame []byte) {
	if len(frame) > netdev.HeaderLen && k.wants(frame) && k.room(len(frame)) {
		k.store(frame)
	}
}

// Wake implements netdev.Waker.
func (k *Card) Wake() {
	k.transmit()
	k.Settle()
}

// SetLink implements netdev.Card.
func (k *Card) SetLink(up bool) { k.link = up }

// ready tells the network that there may be room now.
func (k *Card) ready() {
	k.blocked = false
	if k.c.Net != nil {
		k.c.Net.Ready()
	}
}

// Deliver implements netdev.Peer.
func (k *Card) Deliver(frame []byte) bool {
	if len(frame) < netdev.MinFrame { // runts do not come by a cable
		k.runt = [netdev.MinFrame]byte{}
		copy(k.runt[:], frame)
		frame = k.runt[:]
	}
	switch {
	case k.cr&crSTP != 0 || k.tcr&tcrLB != 0 || !k.wants(frame):
		return true
	case k.rcr&rcrMON != 0:
		k.missed()
	case k.pages(len(frame)) >= int(k.ring()):
		k.missed() // it will never fit
		k.isr |= isrOVW
	case !k.room(len(frame)):
		// The network waits where a real one would lose the frame. Drivers
		// that leave the rest of the ring to the next frame's interrupt need
		// one now.
		k.blocked = true
		k.isr |= isrPRX
		k.Settle()
		return false
	default:
		k.store(frame)
	}
	k.Settle()
	return true
}

// missed counts a frame that was not stored.
func (k *Card) missed() {
	if k.cntr[2] < 0xc0 {
		if k.cntr[2]++; k.cntr[2] >= 0x80 {
			k.isr |= isrCNT
		}
	}
}

// wants is the address filter (§10.8).
func (k *Card) wants(frame []byte) bool {
	switch {
	case k.rcr&rcrPRO != 0:
		return true
	case netdev.MAC(frame) == netdev.Broadcast:
		return k.rcr&rcrAB != 0
	case frame[0]&1 != 0:
		n := crc(frame[:6]) >> 26
		return k.rcr&rcrAM != 0 && k.mar[n>>3]&(1<<(n&7)) != 0
	}
	return [6]uint8(frame) == k.par
}

// crc is the CRC of Ethernet with its bits in the order in which they leave
// the shift register, the first one highest.
func crc(b []byte) uint32 {
	c := ^uint32(0)
	for _, x := range b {
		for range 8 {
			top := c>>31 ^ uint32(x&1)
			c = c<<1 ^ 0x04c11db7*top
			x >>= 1
		}
	}
	return c
}

// ring is how many pages the receive ring has.
func (k *Card) ring() uint8 { return k.pstop - k.pstart }

// pages is how many pages a frame takes with its header and its FCS.
func (k *Card) pages(n int) int { return (4 + n + 4 + 255) >> 8 }

// room reports whether a frame fits between CURR and BNRY, which it may not
// reach: that they are equal is an empty ring, of drivers that set them so.
// Others have BNRY one page behind, which before the ring's first page means
// its last. What else is outside the ring is never reached, for the chip only
// looks for equality.
func (k *Card) room(n int) bool {
	b := k.bnry
	if b == k.pstart-1 {
		b = k.pstop - 1
	}
	if b-k.pstart >= k.ring() {
		return true
	}
	free := int(b) - int(k.curr)
	if free <= 0 {
		free += int(k.ring())
	}
	return k.pages(n) < free
}

// store writes a frame into the ring (§7.1), page by page.
func (k *Card) store(frame []byte) {
	k.rsr = rsrPRX
	if frame[0]&1 != 0 {
		k.rsr |= rsrPHY
	}
	n := len(frame)
	first, page := k.curr, k.curr
	next := k.after(first, k.pages(n))
	fcs := crc32.ChecksumIEEE(frame)
	var tail [4]byte
	for i := range tail {
		tail[i] = uint8(fcs >> (8 * i))
	}
	head := [4]byte{k.rsr, next, uint8(n + 4), uint8((n + 4) >> 8)}
	at := 0 // in the page
	for _, piece := range [...][]byte{head[:], frame, tail[:]} {
		for len(piece) > 0 {
			m := min(len(piece), 256-at)
			if off := int(page)<<8 + at - bufferAt; off >= 0 && off+m <= bufferN {
				copy(k.ram[off:], piece[:m])
			}
			piece = piece[m:]
			if at += m; at == 256 {
				at, page = 0, k.after(page, 1)
			}
		}
	}
	k.curr = next
	k.isr |= isrPRX
}

// after is the page that comes n pages later in the ring.
func (k *Card) after(page uint8, n int) uint8 {
	for range n {
		if page++; page == k.pstop {
			page = k.pstart
		}
	}
	return page
}
