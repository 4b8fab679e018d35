// Package piix4pm models function 3 of the Intel 82371AB (PIIX4, datasheet
// 290562): ACPI power management, the SMI command port and the SMBus host. PC
// emulators put it beside a PIIX3, which has nothing of the kind.
package piix4pm

import (
	"bytes"
	"math/big"
	"math/bits"

	"rhea/internal/bus/pci"
	"rhea/internal/dev"
	"rhea/internal/irq"
	"rhea/internal/mem"
	"rhea/internal/snap"
	"rhea/internal/vclock"
)

// Configuration registers (§7.1).
const (
	pmbase    = 0x40
	devactb   = 0x58 // device activity B; bit 25 is APMC_EN
	pmregmisc = 0x80
	smbba     = 0x90
	smbhstcfg = 0xd2
)

// Registers at PMBASE (§7.2).
const (
	pmsts   = 0x00
	pmen    = 0x02
	pmcntrl = 0x04
	pmtmr   = 0x08
	gpsts   = 0x0c
	gpen    = 0x0e
	pcntrl  = 0x10
	glbsts  = 0x18
	devsts  = 0x1c
	glben   = 0x20
	glbctl  = 0x28
	devctl  = 0x2c
	pmSize  = 0x40
)

// Bits of PMSTS, PMEN and PMCNTRL.
const (
	tmrof   = 1 << 0
	bmSts   = 1 << 4
	gblSts  = 1 << 5
	pwrbtn  = 1 << 8
	rtcSts  = 1 << 10
	wakSts  = 1 << 15
	pmstsOK = tmrof | bmSts | gblSts | pwrbtn | rtcSts | wakSts
	pmenOK  = tmrof | gblSts | pwrbtn | rtcSts

	sciEn   = 1 << 0
	slpTyp  = 7 << 10
	slpEn   = 1 << 13
	cntrlOK = sciEn | 1<<1 | slpTyp
)

// SLP_TYP values that the DSDT's \_S3, \_S4 and \_S5 name.
const (
	SleepS5 = 0
	SleepS3 = 1
	SleepS4 = 2
)

// Commands at port B2h that the FADT names.
const (
	ACPIEnable  = 0xf1
	ACPIDisable = 0xf0
)

// TimerHz is the rate of the power management timer.
const TimerHz = 3579545

const timerHalf = 1 << 23 // TMROF is set when the top one of 24 bits changes

// Config wires the function.
type Config struct {
	Env    dev.Env
	Bus    *pci.Bus
	Device int      // PCI device number, of which this is function 3
	SCI    irq.Line // ISA interrupt 9, high = asserted
	SMI    irq.Line // a pulse for each SMI
	// HasSMM says that the processor takes SMIs. Without, the firmware is
	// told that SMM is set up already and leaves it alone.
	HasSMM bool
}

// PM is the power management function.
type PM struct {
	c  Config
	fn *pci.Function

	sts, en, cntrl uint16
	gpSts, gpEn    uint16
	other          [pmSize]byte // registers that only remember
	apmc, apms     uint8        // B2h, B3h
	overflow       int64        // when TMROF is next set
	timer          *vclock.Timer
	sm             smbus

	pmRegion, smRegion *mem.Region
	io                 *mem.Region
}

// New returns the function, plugged into c.Bus. Io is the I/O space where its
// register blocks appear, at addresses that the firmware chooses.
func New(c Config, io *mem.Region) *PM {
	p := &PM{c: c, io: io}
	f := pci.NewFunction(pci.Header{Name: "PIIX4 PM", Vendor: 0x8086, Device: 0x7113, Class: 0x068000, Revision: 3,
		SubVendor: 0x1af4, SubDevice: 0x1100})
	p.fn = f
	f.SetInit(pci.Status, 0x80, 0x02)
	f.SetInit(pci.InterruptPin, 1) // the SCI is fixed at IRQ 9, whatever this says
	f.SetInit(pmbase, 1)
	f.SetInit(smbba, 1)
	if !c.HasSMM {
		f.SetInit(devactb+3, 0x02)
	}
	f.Writable(pci.Command, pci.CmdIO, 0)
	f.Writable(pmbase, 0xc0, 0xff)
	f.Writable(0x44, bytes.Repeat([]byte{0xff}, 0x3c)...) // counters and device activity, up to 7Fh
	f.Writable(pmregmisc, 0x01)
	f.Writable(smbba, 0xf0, 0xff)
	f.Writable(smbhstcfg, 0x0f, 0xff, 0xff, 0xff)
	p.pmRegion = mem.NewIO("piix4-pm", pmSize, (*pmBlock)(p)).Sizes(1, 4)
	p.smRegion = mem.NewIO("piix4-smbus", 16, &p.sm).Sizes(1, 1)
	for _, r := range []*mem.Region{p.pmRegion, p.smRegion} {
		r.Enable(false)
		io.Add(0, r, -1)
	}
	p.timer = c.Env.Clock.NewTimer(p.Settle)
	f.OnConfig(func(off, size int) { p.decode() })
	c.Bus.Plug(c.Device, 3, f)
	p.Reset()
	return p
}

// Function returns the PCI function.
func (p *PM) Function() *pci.Function { return p.fn }

// APMRegion returns ports B2h (APMC) and B3h (APMS).
func (p *PM) APMRegion() *mem.Region { return mem.NewIO("apm", 2, (*apm)(p)).Sizes(1, 1) }

// decode puts the register blocks where configuration space says (§7.1.11,
// §7.1.26).
func (p *PM) decode() {
	c := p.fn.Config()
	base := uint64(p.fn.Reg32(pmbase) & 0xffc0)
	p.pmRegion.Move(base)
	p.pmRegion.Enable(c[pmregmisc]&1 != 0 && base != 0)
	base = uint64(p.fn.Reg32(smbba) & 0xfff0)
	p.smRegion.Move(base)
	p.smRegion.Enable(c[smbhstcfg]&1 != 0 && base != 0)
}

// ticks turns nanoseconds into timer ticks, without overflow.
func ticks(ns int64) uint64 {
	hi, lo := bits.Mul64(uint64(max(ns, 0)), TimerHz)
	q, _ := bits.Div64(hi%1e9, lo, 1e9)
	return q
}

// nsOf returns the first nanosecond at which the timer has counted t.
func nsOf(t uint64) int64 {
	v := new(big.Int).SetUint64(t)
	v.Mul(v, big.NewInt(1e9))
	v.Add(v, big.NewInt(TimerHz-1))
	v.Div(v, big.NewInt(TimerHz))
	return v.Int64()
}

// nextOverflow returns when the timer's top bit changes after now.
func nextOverflow(now int64) int64 { return nsOf((ticks(now)/timerHalf + 1) * timerHalf) }

// catchUp sets TMROF if the timer has overflowed since it was last cleared.
func (p *PM) catchUp() {
	if now := p.c.Env.Clock.Now(); now >= p.overflow {
		p.sts |= tmrof
		p.overflow = nextOverflow(now)
	}
}

// Settle implements dev.Settler: the SCI is a level.
func (p *PM) Settle() {
	p.catchUp()
	sci := p.cntrl&sciEn != 0 && (p.sts&p.en&pmenOK != 0 || p.gpSts&p.gpEn != 0)
	p.c.SCI.Set(sci)
	if p.en&tmrof != 0 && p.sts&tmrof == 0 {
		p.timer.Set(p.overflow)
	} else {
		p.timer.Stop()
	}
}

// PowerButton presses the power button.
func (p *PM) PowerButton() {
	p.sts |= pwrbtn
	p.Settle()
}

// ACPIEnabled reports whether the operating system has taken over: without,
// a power button press has nobody to handle it.
func (p *PM) ACPIEnabled() bool { return p.cntrl&sciEn != 0 }

// GPE raises general purpose event n.
func (p *PM) GPE(n int) {
	p.gpSts |= 1 << (n & 15)
	p.Settle()
}

// Reset implements dev.Device.
func (p *PM) Reset() {
	p.fn.Reset()
	p.sts, p.en, p.cntrl, p.gpSts, p.gpEn = 0, 0, 0, 0, 0
	p.other = [pmSize]byte{}
	p.apmc, p.apms = 0, 0
	p.sm.reset()
	p.overflow = nextOverflow(p.c.Env.Clock.Now())
}

// State implements dev.Device.
func (p *PM) State(s *snap.Section) {
	s.Version(1)
	s.Sub("pci", p.fn.State)
	s.U16("pmsts", &p.sts)
	s.U16("pmen", &p.en)
	s.U16("pmcntrl", &p.cntrl)
	s.U16("gpsts", &p.gpSts)
	s.U16("gpen", &p.gpEn)
	s.Bytes("other", p.other[:])
	s.U8("apmc", &p.apmc)
	s.U8("apms", &p.apms)
	s.I64("overflow", &p.overflow)
	s.Check(p.sts&^pmstsOK == 0 && p.en&^pmenOK == 0 && p.cntrl&^cntrlOK == 0, "reserved bits are set")
	s.Sub("smbus", p.sm.state)
}

// pmBlock is the registers at PMBASE.
type pmBlock PM

// Read implements mem.MMIO.
func (b *pmBlock) Read(off uint64, size int) uint64 {
	p := (*PM)(b)
	p.catchUp()
	// The timer is looked at once: bytes of different times make a number
	// that was never there, and a time that runs backwards.
	now := ticks(p.c.Env.Clock.Now()) & 0xffffff
	var v uint64
	for i := range size {
		v |= uint64(p.readByte(int(off)+i, now)) << (8 * i)
	}
	return v
}

func (p *PM) readByte(off int, now uint64) uint8 {
	part := func(v uint64, at int) uint8 { return uint8(v >> (8 * (off - at))) }
	switch {
	case off < pmen:
		return part(uint64(p.sts), pmsts)
	case off < pmcntrl:
		return part(uint64(p.en), pmen)
	case off < pmcntrl+2:
		return part(uint64(p.cntrl), pmcntrl)
	case off >= pmtmr && off < pmtmr+4:
		return part(now, pmtmr)
	case off >= gpsts && off < gpen:
		return part(uint64(p.gpSts), gpsts)
	case off >= gpen && off < gpen+2:
		return part(uint64(p.gpEn), gpen)
	case off < pmSize:
		return p.other[off]
	}
	return 0xff
}

// Write implements mem.MMIO.
func (b *pmBlock) Write(off uint64, size int, v uint64) {
	p := (*PM)(b)
	p.catchUp()
	sleep := false
	for i := range size {
		at, b := int(off)+i, uint8(v>>(8*i))
		p.writeByte(at, b)
		sleep = sleep || at == pmcntrl+1 && b&(slpEn>>8) != 0
	}
	if sleep {
		p.sleep()
	}
	p.Settle()
}

func (p *PM) writeByte(off int, v uint8) {
	set := func(r *uint16, at int, mask uint16) {
		n := 8 * (off - at)
		*r = (*r&^(0xff<<n) | uint16(v)<<n) & mask
	}
	switch {
	case off < pmen: // written ones clear
		p.sts &^= uint16(v) << (8 * off)
		if p.sts&tmrof == 0 {
			p.overflow = nextOverflow(p.c.Env.Clock.Now())
		}
	case off < pmcntrl:
		set(&p.en, pmen, pmenOK)
	case off < pmcntrl+2:
		set(&p.cntrl, pmcntrl, cntrlOK)
	case off >= gpsts && off < gpen:
		p.gpSts &^= uint16(v) << (8 * (off - gpsts))
	case off >= gpen && off < gpen+2:
		set(&p.gpEn, gpen, 0x0f01)
	case off >= pcntrl && off < pmSize:
		p.other[off] = v
	}
}

// sleep enters the state that SLP_TYP names.
func (p *PM) sleep() {
	switch p.cntrl & slpTyp >> 10 {
	case SleepS5, SleepS4:
		if p.c.Env.Power != nil {
			p.c.Env.Power.RequestPowerOff("guest-shutdown")
		}
	case SleepS3:
		p.c.Env.Log.Unimp("piix4pm: suspend to RAM")
	default:
		p.c.Env.Log.Guest("piix4pm: sleep state %d", p.cntrl&slpTyp>>10)
	}
}

// apm is the pair of ports by which software asks for an SMI.
type apm PM

// Read implements mem.MMIO.
func (a *apm) Read(off uint64, size int) uint64 {
	if off == 0 {
		return uint64(a.apmc)
	}
	return uint64(a.apms)
}

// Write implements mem.MMIO. There is no SMM code of ours behind the ACPI
// commands: the hardware itself does what the FADT promises.
func (a *apm) Write(off uint64, size int, v uint64) {
	p := (*PM)(a)
	if off == 1 {
		p.apms = uint8(v)
		return
	}
	p.apmc = uint8(v)
	switch p.apmc {
	case ACPIEnable:
		p.cntrl |= sciEn
	case ACPIDisable:
		p.cntrl &^= sciEn
	default:
		if p.c.HasSMM && p.fn.Config()[devactb+3]&0x02 != 0 { // APMC_EN
			p.c.SMI.Pulse()
		}
	}
	p.Settle()
}
