// Package rtl8139 models Realtek's RTL8139C+ fast Ethernet controller after its
// datasheet (revision 1.6) and that of the RTL8139C, whose mode of operation it
// has as well: four transmit registers and a receive buffer, or descriptor
// rings ("C+ mode").
package rtl8139

import (
	"encoding/binary"
	"fmt"

	"rhea/internal/bus/pci"
	"rhea/internal/dev"
	"rhea/internal/dev/net/eeprom93c46"
	"rhea/internal/mem"
	"rhea/internal/netdev"
	"rhea/internal/snap"
	"rhea/internal/vclock"
)

// Config describes a card.
type Config struct {
	Env    dev.Env
	Net    netdev.Port // nil = the socket is empty
	MAC    netdev.MAC
	Bus    *pci.Bus
	Device int
	ROM    []byte
}

// Card is an RTL8139C+.
type Card struct {
	c      Config
	fn     *pci.Function
	eeprom *eeprom93c46.EEPROM
	link   bool

	idr, mar  [8]uint8
	tsd, tsad [4]uint32 // C+: tsad holds TNPDS and THPDS
	rbstart   uint32
	cr        uint8
	capr, cbr uint16
	imr, isr  uint16
	tcr, rcr  uint32
	mpc       uint32
	ee        uint8 // 9346CR
	config    [6]uint8
	bmcr      uint16
	anar      uint16
	mulint    uint16
	nextTx    uint8 // of the four, which is next

	cpcr     uint16
	mitigate uint16
	rdsar    [2]uint32
	etthr    uint8
	dtccr    [2]uint32
	rxAt     uint8    // C+: the next receive descriptor,
	txAt     [2]uint8 // and transmit descriptors: normal, high priority
	tally    [13]uint32

	timerInt uint32
	timeBase int64 // when TCTR was 0
	timer    *vclock.Timer
	poll     *vclock.Timer // while blocked in C+ mode
	blocked  bool          // a frame from the network waits for room
	packet   packet
	seg      [netdev.MaxFrame]byte
	runt     [netdev.MinFrame]byte
}

// New returns a card, plugged into c.Bus.
func New(c Config) *Card {
	k := &Card{c: c}
	k.eeprom = eeprom93c46.New(image(c.MAC))
	k.fn = pci.NewFunction(pci.Header{Name: "RTL8139C+", Vendor: 0x10ec, Device: 0x8139, Class: 0x020000, Revision: 0x20,
		SubVendor: 0x1af4, SubDevice: 0x1100, Pin: 1})
	k.fn.IOBAR(0, mem.NewIO("rtl8139-io", 256, (*registers)(k)).Sizes(1, 4))
	k.fn.MemoryBAR(1, mem.NewIO("rtl8139", 256, (*registers)(k)).Sizes(1, 4), false)
	if len(c.ROM) > 0 {
		k.fn.ROM(c.ROM)
	}
	c.Bus.Plug(c.Device, 0, k.fn)
	k.timer = c.Env.Clock.NewTimer(k.timeout)
	k.poll = c.Env.Clock.NewTimer(k.ready)
	k.Reset()
	if c.Net != nil {
		c.Net.Attach(k)
	}
	return k
}

// image is what the EEPROM holds (§6).
func image(mac netdev.MAC) (w [eeprom93c46.Words]uint16) {
	w[0] = 0x8129
	w[1], w[2] = 0x10ec, 0x8139
	w[3], w[4] = 0x1af4, 0x1100
	w[5] = 0x4020 // MXLAT, MNGNT
	w[6] = 0x4d10 // MSR, CONFIG3
	for i := range 3 {
		w[7+i] = uint16(mac[2*i]) | uint16(mac[2*i+1])<<8
	}
	w[10] = 0x0c10 // CONFIG1, CONFIG0
	return w
}

// Function returns the PCI function.
func (k *Card) Function() *pci.Function { return k.fn }

// MAC returns the address in the EEPROM.
func (k *Card) MAC() netdev.MAC { return k.c.MAC }

// Reset implements dev.Device.
func (k *Card) Reset() {
	k.eeprom.Reset()
	k.fn.Reset()
	k.load()
	k.bmcr, k.anar = 0x3100, 0x05e1
	k.softReset()
	k.mar = [8]uint8{}
}

// load is what the EEPROM sets: the address and configuration.
func (k *Card) load() {
	for i := range 3 {
		binary.LittleEndian.PutUint16(k.idr[2*i:], k.eeprom.Word(7+i))
	}
	k.idr[6], k.idr[7] = 0, 0
	k.config = [6]uint8{0x10, 0x0c, 0, 0x01, 0, 0}
}

// softReset is CR.RST (§5.8).
func (k *Card) softReset() {
	for i := range k.tsd {
		k.tsd[i], k.tsad[i] = tsdOwn, 0
	}
	k.rbstart, k.cr = 0, 0
	k.capr, k.cbr = 0xfff0, 0
	k.imr, k.isr = 0, 0
	k.tcr, k.rcr, k.mpc = 0, 0, 0
	k.mulint, k.nextTx = 0, 0
	k.cpcr, k.mitigate, k.etthr = 0, 0, 0
	k.rdsar, k.dtccr = [2]uint32{}, [2]uint32{}
	k.rxAt, k.txAt = 0, [2]uint8{}
	k.tally = [13]uint32{}
	k.timerInt, k.timeBase = 0, k.c.Env.Clock.Now()
	k.blocked = false
	k.packet = packet{buf: k.packet.buf[:0]}
	k.poll.Stop()
}

// State implements dev.Device.
func (k *Card) State(s *snap.Section) {
	s.Version(1)
	s.Sub("pci", k.fn.State)
	s.Sub("eeprom", k.eeprom.State)
	s.Bytes("idr", k.idr[:])
	s.Bytes("mar", k.mar[:])
	for i := range 4 {
		s.U32(fmt.Sprintf("tsd%d", i), &k.tsd[i])
		s.U32(fmt.Sprintf("tsad%d", i), &k.tsad[i])
	}
	s.U32("rbstart", &k.rbstart)
	s.U8("cr", &k.cr)
	s.U16("capr", &k.capr)
	s.U16("cbr", &k.cbr)
	s.U16("imr", &k.imr)
	s.U16("isr", &k.isr)
	s.U32("tcr", &k.tcr)
	s.U32("rcr", &k.rcr)
	s.U32("mpc", &k.mpc)
	s.U8("9346cr", &k.ee)
	s.Bytes("config", k.config[:])
	s.U16("bmcr", &k.bmcr)
	s.U16("anar", &k.anar)
	s.U16("mulint", &k.mulint)
	s.U8("next-tx", &k.nextTx)
	s.U16("cpcr", &k.cpcr)
	s.U16("mitigate", &k.mitigate)
	for i := range 2 {
		s.U32(fmt.Sprintf("rdsar%d", i), &k.rdsar[i])
		s.U32(fmt.Sprintf("dtccr%d", i), &k.dtccr[i])
		s.U8(fmt.Sprintf("tx-at%d", i), &k.txAt[i])
	}
	s.U8("etthr", &k.etthr)
	s.U8("rx-at", &k.rxAt)
	for i := range k.tally {
		s.U32(fmt.Sprintf("tally%d", i), &k.tally[i])
	}
	s.U32("timer-int", &k.timerInt)
	s.I64("time-base", &k.timeBase)
	s.Bool("blocked", &k.blocked)
	s.Bool("link", &k.link)
	s.Sub("packet", k.packet.state)
	s.Check(k.nextTx < 4 && k.rxAt < ringMax && k.txAt[0] < ringMax && k.txAt[1] < ringMax, "descriptor number is out of range")
	s.Check(k.timeBase >= 0, "time is out of range")
	if s.Loading() {
		k.cr &= crRE | crTE
		if s.Err() != nil {
			k.packet = packet{}
			k.nextTx, k.rxAt, k.txAt = 0, 0, [2]uint8{}
		}
	}
}

// Settle implements dev.Settler: the interrupt pin and the timers.
func (k *Card) Settle() {
	k.fn.SetIRQ(k.isr&k.imr != 0)
	if k.timerInt != 0 && k.isr&isrTimeout == 0 {
		k.timer.Set(k.timerDue())
	} else {
		k.timer.Stop()
	}
	if k.blocked && k.plusRx() {
		if _, set := k.poll.Deadline(); !set {
			k.poll.Set(k.c.Env.Clock.Now() + pollTime)
		}
	} else {
		k.poll.Stop()
	}
}

// pollTime is how soon a frame that found no descriptor is tried again: in C+
// mode no register is written when there is one.
const pollTime = 200_000

// tick is a cycle of the PCI bus, which TCTR counts.
const tick = 30

// timerDue is when TCTR, of 32 bits, next reaches TimerInt.
func (k *Card) timerDue() int64 {
	const turn = 1 << 32 * tick
	at := k.timeBase + int64(k.timerInt)*tick
	if now := k.c.Env.Clock.Now(); at <= now {
		at += ((now-at)/turn + 1) * turn
	}
	return at
}

func (k *Card) timeout() {
	k.isr |= isrTimeout
	k.Settle()
}

// SetLink implements netdev.Card.
func (k *Card) SetLink(up bool) {
	if k.link == up {
		return
	}
	k.link = up
	k.isr |= isrLink
	k.Settle()
}

// Wake implements netdev.Waker.
func (k *Card) Wake() {
	k.transmit()
	k.Settle()
}

// ready tells the network that there may be room now.
func (k *Card) ready() {
	if k.blocked && k.c.Net != nil {
		k.blocked = false
		k.c.Net.Ready()
	}
}
