// Package e1000 models Intel's 82540EM gigabit Ethernet controller after the
// "PCI/PCI-X Family of Gigabit Ethernet Controllers Software Developer's
// Manual" (317453-005; sections below are its).
package e1000

import (
	"encoding/binary"

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

// Card is an 82540EM.
type Card struct {
	c      Config
	fn     *pci.Function
	eeprom *eeprom93c46.EEPROM
	link   bool

	reg   [numRegs]uint32
	stats [64]uint32
	mta   [128]uint32
	vfta  [128]uint32
	ra    [32]uint32
	phy   [32]uint16
	ioreg uint32 // IOADDR

	level   bool  // INTA#
	nextIRQ int64 // not before: ITR
	rxDue   int64 // RDTR, RADV: when RXT0 is due, 0 = not
	rxLast  int64 // at the latest then
	txDue   int64 // TIDV, TADV
	txLast  int64
	txAgain int64 // when the transmitter goes on, 0 = it has nothing to do
	timer   *vclock.Timer

	blocked bool // a frame from the network waits for descriptors
	tx      transmitter
	seg     [netdev.MaxFrame]byte
	runt    [netdev.MinFrame]byte
}

// New returns a card, plugged into c.Bus.
func New(c Config) *Card {
	k := &Card{c: c}
	k.eeprom = eeprom93c46.New(image(c.MAC))
	k.fn = pci.NewFunction(pci.Header{Name: "82540EM", Vendor: 0x8086, Device: deviceID, Class: 0x020000, Revision: 3,
		SubVendor: 0x1af4, SubDevice: 0x1100, Pin: 1})
	k.fn.SetInit(pci.InterruptPin+1, 0xff)
	k.fn.MemoryBAR(0, mem.NewIO("e1000", 128<<10, (*registers)(k)).Sizes(4, 4), false)
	k.fn.IOBAR(2, mem.NewIO("e1000-io", 64, (*ports)(k)).Sizes(4, 4))
	if len(c.ROM) > 0 {
		k.fn.ROM(c.ROM)
	}
	c.Bus.Plug(c.Device, 0, k.fn)
	k.timer = c.Env.Clock.NewTimer(k.expire)
	k.Reset()
	if c.Net != nil {
		c.Net.Attach(k)
	}
	return k
}

const deviceID = 0x100e

// image is what the EEPROM holds (§5.6): the address, the identification and
// the words that make a checksum.
func image(mac netdev.MAC) (w [eeprom93c46.Words]uint16) {
	for i := range 3 {
		w[i] = uint16(mac[2*i]) | uint16(mac[2*i+1])<<8
	}
	w[0x04] = 0xffff
	w[0x0a] = 0x4408 // valid; power management; D3 wake-up is off
	w[0x0b], w[0x0c] = 0x1100, 0x1af4
	w[0x0d], w[0x0e] = deviceID, 0x8086
	w[0x0f] = 0x3040
	sum := uint16(0xbaba)
	for _, v := range w[:0x3f] {
		sum -= v
	}
	w[0x3f] = sum
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
	k.mta, k.vfta, k.ra = [128]uint32{}, [128]uint32{}, [32]uint32{}
	k.ioreg, k.nextIRQ = 0, 0
	k.softReset()
}

// softReset is CTRL.RST (§13.4.1): all but the filters and what the EEPROM
// says.
func (k *Card) softReset() {
	k.reg = [numRegs]uint32{regCTRL: 1<<9 | 1<<3 | 1, regEECD: eePresent, regPBA: 48, regTIPG: 0x602008, regTDFPC: 0, regRXCSUM: 0,
		regVET: netdev.EtherVLAN, regLEDCTL: 0x07061302, regTXCW: 0xc0000000}
	k.stats = [64]uint32{}
	for i := range 3 {
		w := uint32(k.eeprom.Word(i))
		if i < 2 {
			k.ra[0] = k.ra[0]&^(0xffff<<(16*i)) | w<<(16*i)
		} else {
			k.ra[1] = 1<<31 | w
		}
	}
	k.rxDue, k.txDue, k.rxLast, k.txLast, k.txAgain = 0, 0, 0, 0, 0
	k.level, k.blocked = false, false
	k.tx = transmitter{buf: k.tx.buf[:0]}
	k.resetPHY()
	k.timer.Stop()
}

// State implements dev.Device.
func (k *Card) State(s *snap.Section) {
	s.Version(1)
	s.Sub("pci", k.fn.State)
	s.Sub("eeprom", k.eeprom.State)
	for i := range table {
		if r := &table[i]; r.name != "" {
			s.U32(r.name, &k.reg[i])
		}
	}
	for _, a := range []struct {
		name string
		v    []uint32
	}{{"stats", k.stats[:]}, {"mta", k.mta[:]}, {"vfta", k.vfta[:]}, {"ra", k.ra[:]}} {
		words(s, a.name, a.v)
	}
	var phy [32]uint32
	for i, v := range k.phy {
		phy[i] = uint32(v)
	}
	words(s, "phy", phy[:])
	for i, v := range phy {
		k.phy[i] = uint16(v)
	}
	s.U32("ioaddr", &k.ioreg)
	s.Bool("link", &k.link)
	s.Bool("level", &k.level)
	s.I64("next-irq", &k.nextIRQ)
	s.I64("rx-due", &k.rxDue)
	s.I64("rx-last", &k.rxLast)
	s.I64("tx-due", &k.txDue)
	s.I64("tx-last", &k.txLast)
	s.I64("tx-again", &k.txAgain)
	s.Bool("blocked", &k.blocked)
	s.Sub("tx", k.tx.state)
	if s.Loading() {
		for i := range table {
			k.reg[i] &= table[i].valid
		}
		if s.Err() != nil {
			k.tx = transmitter{}
		}
		// Times of another machine's clock do not hold anything up for long.
		soon := k.c.Env.Clock.Now() + vclock.Second
		for _, p := range []*int64{&k.nextIRQ, &k.rxDue, &k.rxLast, &k.txDue, &k.txLast, &k.txAgain} {
			*p = min(max(*p, 0), soon)
		}
	}
}

// words walks an array of words.
func words(s *snap.Section, name string, v []uint32) {
	b := make([]byte, 4*len(v))
	for i, x := range v {
		binary.LittleEndian.PutUint32(b[4*i:], x)
	}
	s.Bytes(name, b)
	for i := range v {
		v[i] = binary.LittleEndian.Uint32(b[4*i:])
	}
}

// Settle implements dev.Settler: the interrupt pin, with its throttling
// (§13.4.18: after an interrupt the next one waits for ITR).
func (k *Card) Settle() {
	now := k.c.Env.Clock.Now()
	pending := k.reg[regICR]&k.reg[regIMS] != 0
	switch {
	case !pending:
		k.level = false
	case !k.level && now >= k.nextIRQ:
		k.level = true
		k.nextIRQ = now + int64(k.reg[regITR])*256
	}
	k.fn.SetIRQ(k.level)
	due := int64(0)
	earlier := func(t int64) {
		if t != 0 && (due == 0 || t < due) {
			due = t
		}
	}
	if pending && !k.level {
		earlier(k.nextIRQ)
	}
	earlier(k.rxDue)
	earlier(k.txDue)
	earlier(k.txAgain)
	if due != 0 {
		k.timer.Set(due)
	} else {
		k.timer.Stop()
	}
}

// expire follows when time has come for something.
func (k *Card) expire() {
	now := k.c.Env.Clock.Now()
	if k.rxDue != 0 && now >= k.rxDue {
		k.rxDue, k.rxLast = 0, 0
		k.reg[regICR] |= icrRXT0
	}
	if k.txDue != 0 && now >= k.txDue {
		k.txDue, k.txLast = 0, 0
		k.reg[regICR] |= icrTXDW
	}
	if k.txAgain != 0 && now >= k.txAgain {
		k.transmit()
	}
	k.Settle()
}

// delayed sets when an interrupt is due: after delay, which each event begins
// anew, but not later than limit after the first (units of 1.024 µs).
func (k *Card) delayed(due, last *int64, delay, limit uint32) {
	now := k.c.Env.Clock.Now()
	if *due == 0 {
		*last = 0
		if limit != 0 {
			*last = now + int64(limit)*1024
		}
	}
	*due = now + int64(delay)*1024
	if *last != 0 {
		*due = min(*due, *last)
	}
}

// SetLink implements netdev.Card.
func (k *Card) SetLink(up bool) {
	if k.link == up {
		return
	}
	k.link = up
	k.linkChanged()
	k.Settle()
}

// linkChanged brings the PHY's status in line with the cable.
func (k *Card) linkChanged() {
	k.phyLink()
	k.reg[regICR] |= icrLSC
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
