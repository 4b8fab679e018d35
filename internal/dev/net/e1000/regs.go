package e1000

// Registers by their place in Card.reg.
const (
	regCTRL = iota
	regSTATUS
	regEECD
	regEERD
	regCTRLEXT
	regMDIC
	regFCAL
	regFCAH
	regFCT
	regVET
	regICR
	regITR
	regICS
	regIMS
	regIMC
	regRCTL
	regFCTTV
	regTXCW
	regRXCW
	regTCTL
	regTIPG
	regAIFS
	regLEDCTL
	regPBA
	regFCRTL
	regFCRTH
	regRDBAL
	regRDBAH
	regRDLEN
	regRDH
	regRDT
	regRDTR
	regRXDCTL
	regRADV
	regRSRPD
	regTDFH
	regTDFT
	regTDFHS
	regTDFTS
	regTDFPC
	regRDFH
	regRDFT
	regRDFHS
	regRDFTS
	regRDFPC
	regTDBAL
	regTDBAH
	regTDLEN
	regTDH
	regTDT
	regTIDV
	regTXDCTL
	regTADV
	regTSPMT
	regRXCSUM
	regWUC
	regWUFC
	regWUS
	regIPAV
	regMANC
	numRegs
)

// Bits of registers.
const (
	ctrlRST    = 1 << 26
	ctrlVME    = 1 << 30
	ctrlPHYRST = 1 << 31

	statusFD    = 1 << 0
	statusLU    = 1 << 1
	status1000  = 2 << 6
	statusPCI66 = 1 << 11

	eeSK      = 1 << 0
	eeCS      = 1 << 1
	eeDI      = 1 << 2
	eeDO      = 1 << 3
	eeREQ     = 1 << 6
	eeGNT     = 1 << 7
	eePresent = 1 << 8

	eerdStart = 1 << 0
	eerdDone  = 1 << 4

	mdicWrite = 1
	mdicRead  = 2
	mdicReady = 1 << 28
	mdicInt   = 1 << 29
	mdicError = 1 << 30

	icrTXDW   = 1 << 0
	icrTXQE   = 1 << 1
	icrLSC    = 1 << 2
	icrRXDMT0 = 1 << 4
	icrRXO    = 1 << 6
	icrRXT0   = 1 << 7
	icrMDAC   = 1 << 9
	icrAll    = 0x1ffff

	rctlEN    = 1 << 1
	rctlUPE   = 1 << 3
	rctlMPE   = 1 << 4
	rctlLPE   = 1 << 5
	rctlLBM   = 3 << 6
	rctlBAM   = 1 << 15
	rctlVFE   = 1 << 18
	rctlBSEX  = 1 << 25
	rctlSECRC = 1 << 26

	tctlEN  = 1 << 1
	tctlPSP = 1 << 3

	rxcsumIPOFL = 1 << 8
	rxcsumTUOFL = 1 << 9
)

// register is a line of the table: where it is, which bits it has, which of
// them software can set, and what happens then. read replaces the plain value.
type register struct {
	off   uint32
	name  string // in a saved state
	valid uint32
	mask  uint32
	read  func(*Card) uint32
	write func(*Card, uint32)
}

const all = ^uint32(0)

// table is §13.3's list of registers.
var table = [numRegs]register{
	regCTRL:    {0x0000, "ctrl", all, all, nil, (*Card).writeCTRL},
	regSTATUS:  {0x0008, "", 0, 0, (*Card).readSTATUS, nil},
	regEECD:    {0x0010, "eecd", all, 0, (*Card).readEECD, (*Card).writeEECD},
	regEERD:    {0x0014, "eerd", all, 0, nil, (*Card).writeEERD},
	regCTRLEXT: {0x0018, "ctrl-ext", all, 0x00bffff0, nil, nil},
	regMDIC:    {0x0020, "mdic", all, 0, nil, (*Card).writeMDIC},
	regFCAL:    {0x0028, "fcal", all, all, nil, nil},
	regFCAH:    {0x002c, "fcah", 0xffff, 0xffff, nil, nil},
	regFCT:     {0x0030, "fct", 0xffff, 0xffff, nil, nil},
	regVET:     {0x0038, "vet", 0xffff, 0xffff, nil, nil},
	regICR:     {0x00c0, "icr", icrAll, 0, (*Card).readICR, (*Card).writeICR},
	regITR:     {0x00c4, "itr", 0xffff, 0xffff, nil, nil},
	regICS:     {0x00c8, "", 0, 0, nil, func(k *Card, v uint32) { k.reg[regICR] |= v & icrAll }},
	regIMS:     {0x00d0, "ims", icrAll, 0, nil, func(k *Card, v uint32) { k.reg[regIMS] |= v & icrAll }},
	regIMC:     {0x00d8, "", 0, 0, nil, func(k *Card, v uint32) { k.reg[regIMS] &^= v }},
	regRCTL:    {0x0100, "rctl", 0x06dfbffe, 0x06dfbffe, nil, (*Card).writeRCTL},
	regFCTTV:   {0x0170, "fcttv", 0xffff, 0xffff, nil, nil},
	regTXCW:    {0x0178, "txcw", all, all, nil, nil},
	regRXCW:    {0x0180, "rxcw", all, 0, nil, nil},
	regTCTL:    {0x0400, "tctl", 0x037ffffa, 0x037ffffa, nil, func(k *Card, _ uint32) { k.transmit() }},
	regTIPG:    {0x0410, "tipg", 0x3fffffff, 0x3fffffff, nil, nil},
	regAIFS:    {0x0458, "ait", 0xffff, 0xffff, nil, nil},
	regLEDCTL:  {0x0e00, "ledctl", all, all, nil, nil},
	regPBA:     {0x1000, "pba", all, 0x7f, nil, nil},
	regFCRTL:   {0x2160, "fcrtl", 0x8000fff8, 0x8000fff8, nil, nil},
	regFCRTH:   {0x2168, "fcrth", 0xfff8, 0xfff8, nil, nil},
	regRDBAL:   {0x2800, "rdbal", 0xfffffff0, 0xfffffff0, nil, nil},
	regRDBAH:   {0x2804, "rdbah", all, all, nil, nil},
	regRDLEN:   {0x2808, "rdlen", 0xfff80, 0xfff80, nil, nil},
	regRDH:     {0x2810, "rdh", 0xffff, 0xffff, nil, nil},
	regRDT:     {0x2818, "rdt", 0xffff, 0xffff, nil, func(k *Card, _ uint32) { k.ready() }},
	regRDTR:    {0x2820, "rdtr", 0xffff, 0xffff, nil, (*Card).writeRDTR},
	regRXDCTL:  {0x2828, "rxdctl", all, all, nil, nil},
	regRADV:    {0x282c, "radv", 0xffff, 0xffff, nil, nil},
	regRSRPD:   {0x2c00, "rsrpd", 0xfff, 0xfff, nil, nil},
	regTDFH:    {0x3410, "tdfh", 0x1fff, 0x1fff, nil, nil},
	regTDFT:    {0x3418, "tdft", 0x1fff, 0x1fff, nil, nil},
	regTDFHS:   {0x3420, "tdfhs", 0x1fff, 0x1fff, nil, nil},
	regTDFTS:   {0x3428, "tdfts", 0x1fff, 0x1fff, nil, nil},
	regTDFPC:   {0x3430, "tdfpc", 0x1fff, 0x1fff, nil, nil},
	regRDFH:    {0x2410, "rdfh", 0x1fff, 0x1fff, nil, nil},
	regRDFT:    {0x2418, "rdft", 0x1fff, 0x1fff, nil, nil},
	regRDFHS:   {0x2420, "rdfhs", 0x1fff, 0x1fff, nil, nil},
	regRDFTS:   {0x2428, "rdfts", 0x1fff, 0x1fff, nil, nil},
	regRDFPC:   {0x2430, "rdfpc", 0x1fff, 0x1fff, nil, nil},
	regTDBAL:   {0x3800, "tdbal", 0xfffffff0, 0xfffffff0, nil, nil},
	regTDBAH:   {0x3804, "tdbah", all, all, nil, nil},
	regTDLEN:   {0x3808, "tdlen", 0xfff80, 0xfff80, nil, nil},
	regTDH:     {0x3810, "tdh", 0xffff, 0xffff, nil, nil},
	regTDT:     {0x3818, "tdt", 0xffff, 0xffff, nil, func(k *Card, _ uint32) { k.transmit() }},
	regTIDV:    {0x3820, "tidv", 0xffff, 0xffff, nil, (*Card).writeTIDV},
	regTXDCTL:  {0x3828, "txdctl", all, all, nil, nil},
	regTADV:    {0x382c, "tadv", 0xffff, 0xffff, nil, nil},
	regTSPMT:   {0x3830, "tspmt", all, all, nil, nil},
	regRXCSUM:  {0x5000, "rxcsum", 0x7ff, 0x7ff, nil, nil},
	regWUC:     {0x5800, "wuc", 0xf, 0xf, nil, nil},
	regWUFC:    {0x5808, "wufc", 0xf80ff, 0xf80ff, nil, nil},
	regWUS:     {0x5810, "wus", 0xf80ff, 0xf80ff, nil, nil},
	regIPAV:    {0x5838, "ipav", 0x1000f, 0x1000f, nil, nil},
	regMANC:    {0x5820, "manc", all, all, nil, nil},
}

// index finds the table's line of an offset; 0xff = none.
var index = func() (x [0x6000 / 4]uint8) {
	for i := range x {
		x[i] = 0xff
	}
	for i := range table {
		x[table[i].off/4] = uint8(i)
	}
	return
}()

// array returns the register arrays' element at off, nil if there is none.
func (k *Card) array(off uint32) *uint32 {
	switch {
	case off >= 0x5200 && off < 0x5400:
		return &k.mta[(off-0x5200)/4]
	case off >= 0x5400 && off < 0x5480:
		return &k.ra[(off-0x5400)/4]
	case off >= 0x5600 && off < 0x5800:
		return &k.vfta[(off-0x5600)/4]
	}
	return nil
}

// registers is the card's memory BAR.
type registers Card

// Read implements mem.MMIO.
func (r *registers) Read(off uint64, _ int) uint64 {
	k := (*Card)(r)
	if k.fn.Mastering() {
		return 0xffffffff
	}
	return uint64(k.readReg(uint32(off) &^ 3))
}

// Write implements mem.MMIO.
func (r *registers) Write(off uint64, _ int, v uint64) {
	k := (*Card)(r)
	if k.fn.Mastering() {
		k.c.Env.Log.Guest("e1000: it is told to write to itself, at %#x", off)
		return
	}
	k.writeReg(uint32(off)&^3, uint32(v))
	k.Settle()
}

func (k *Card) readReg(off uint32) uint32 {
	if off < 0x6000 {
		if i := index[off/4]; i != 0xff {
			if f := table[i].read; f != nil {
				return f(k)
			}
			return k.reg[i]
		}
	}
	if p := k.array(off); p != nil {
		return *p
	}
	if off >= 0x4000 && off < 0x4100 { // §13.7: counters are cleared by reading
		p := &k.stats[(off-0x4000)/4]
		v := *p
		*p = 0
		return v
	}
	return 0
}

func (k *Card) writeReg(off, v uint32) {
	if off < 0x6000 {
		if i := index[off/4]; i != 0xff {
			r := &table[i]
			k.reg[i] = k.reg[i]&^r.mask | v&r.mask
			if r.write != nil {
				r.write(k, v)
			}
			return
		}
	}
	if p := k.array(off); p != nil {
		*p = v
		return
	}
	if off < 0x4000 || off >= 0x4100 {
		k.c.Env.Log.Guest("e1000: write of %#x to register %#x, which there is not", v, off)
	}
}

// ports is the card's I/O BAR (§13.2.2): an address and the register there.
type ports Card

// Read implements mem.MMIO.
func (p *ports) Read(off uint64, _ int) uint64 {
	k := (*Card)(p)
	switch {
	case k.fn.Mastering():
	case off&^3 == 0:
		return uint64(k.ioreg)
	case off&^3 == 4 && k.ioreg < 0x20000:
		v := uint64(k.readReg(k.ioreg &^ 3))
		k.Settle()
		return v
	}
	return 0xffffffff
}

// Write implements mem.MMIO.
func (p *ports) Write(off uint64, _ int, v uint64) {
	k := (*Card)(p)
	switch {
	case k.fn.Mastering():
	case off&^3 == 0:
		k.ioreg = uint32(v)
	case off&^3 == 4 && k.ioreg < 0x20000:
		k.writeReg(k.ioreg&^3, uint32(v))
		k.Settle()
	}
}

func (k *Card) readSTATUS() uint32 {
	v := uint32(statusFD | status1000 | statusPCI66)
	if k.link {
		v |= statusLU
	}
	return v
}

func (k *Card) writeCTRL(v uint32) {
	switch {
	case v&ctrlRST != 0:
		k.softReset()
	case v&ctrlPHYRST != 0:
		k.resetPHY()
	}
	k.reg[regCTRL] &^= ctrlRST | ctrlPHYRST
}

// writeEECD drives the EEPROM's pins once software was granted access.
func (k *Card) writeEECD(v uint32) {
	const pins = eeSK | eeCS | eeDI | eeREQ
	k.reg[regEECD] = eePresent | v&(pins|3<<4)
	if v&eeREQ != 0 {
		k.reg[regEECD] |= eeGNT
		k.eeprom.Pins(v&eeCS != 0, v&eeSK != 0, v&eeDI != 0)
	}
}

func (k *Card) readEECD() uint32 {
	v := k.reg[regEECD]
	if k.eeprom.DO() {
		v |= eeDO
	}
	return v
}

// writeEERD reads a word of the EEPROM (§13.4.4).
func (k *Card) writeEERD(v uint32) {
	addr := v >> 8 & 0xff
	k.reg[regEERD] = addr << 8
	if v&eerdStart != 0 {
		w := uint32(0)
		if addr < 64 {
			w = uint32(k.eeprom.Word(int(addr)))
		}
		k.reg[regEERD] |= w<<16 | eerdDone | eerdStart
	}
}

func (k *Card) readICR() uint32 {
	v := k.reg[regICR]
	k.reg[regICR] = 0
	k.Settle()
	return v
}

func (k *Card) writeICR(v uint32) { k.reg[regICR] &^= v }

func (k *Card) writeRCTL(uint32) {
	k.blocked = true // what has waited may be unwanted now
	k.ready()
}

const flushNow = 1 << 31 // FPD of RDTR and TIDV

func (k *Card) writeRDTR(v uint32) {
	if v&flushNow != 0 && k.rxDue != 0 {
		k.rxDue, k.rxLast = 0, 0
		k.reg[regICR] |= icrRXT0
	}
}

func (k *Card) writeTIDV(v uint32) {
	if v&flushNow != 0 && k.txDue != 0 {
		k.txDue, k.txLast = 0, 0
		k.reg[regICR] |= icrTXDW
	}
}

// The PHY's registers (IEEE 802.3 clause 22; from 16 on Marvell's 88E1011).
const (
	phyCTRL    = 0
	phySTATUS  = 1
	phyID1     = 2
	phyID2     = 3
	phyANAR    = 4
	phyLPA     = 5
	phyANER    = 6
	phy1000CT  = 9
	phy1000ST  = 10
	phyEXT     = 15
	phySpecCT  = 16
	phySpecST  = 17
	phyExtSpec = 20

	phyReset    = 1 << 15
	phyRestart  = 1 << 9
	phyLink     = 1 << 2
	phyAutoDone = 1 << 5

	phyAddr = 1
)

func (k *Card) resetPHY() {
	k.phy = [32]uint16{phyCTRL: 0x1140, phySTATUS: 0x7949, phyID1: 0x0141, phyID2: 0x0c25, phyANAR: 0x0de1, phy1000CT: 0x0e00,
		phyEXT: 0x3000, phySpecCT: 0x0360, phySpecST: 0x8000, phyExtSpec: 0x0d60}
	k.phyLink()
}

// phyLink sets what the PHY knows of its peer: gigabit, full duplex.
func (k *Card) phyLink() {
	k.phy[phySTATUS] &^= phyLink | phyAutoDone
	k.phy[phyLPA], k.phy[phyANER], k.phy[phy1000ST] = 0, 0, 0
	k.phy[phySpecST] = 0x8000
	if k.link {
		k.phy[phySTATUS] |= phyLink | phyAutoDone
		k.phy[phyLPA], k.phy[phyANER], k.phy[phy1000ST] = 0x45e1, 0x0001, 0x3c00
		k.phy[phySpecST] = 0xac00
	}
}

// phyWritable are the bits that software can set.
var phyWritable = [32]uint16{phyCTRL: 0x3dc0, phyANAR: 0xadff, 7: 0xb7ff, phy1000CT: 0xff00, phySpecCT: 0xffff, 18: 0xffff,
	phyExtSpec: 0xffff, 22: 0xff, 24: 0xffff, 26: 0xffff, 29: 0x1f, 30: 0xffff}

// writeMDIC accesses the PHY (§13.4.7); it is ready at once.
func (k *Card) writeMDIC(v uint32) {
	n, addr, op := v>>16&31, v>>21&31, v>>26&3
	r := v & (0x0fffffff | mdicInt)
	switch {
	case addr != phyAddr || op != mdicWrite && op != mdicRead:
		r |= mdicError
	case op == mdicRead:
		r = r&^0xffff | uint32(k.phy[n])
	default:
		m := phyWritable[n]
		k.phy[n] = k.phy[n]&^m | uint16(v)&m
		if n == phyCTRL && v&phyReset != 0 {
			k.resetPHY()
		}
		if n == phyCTRL && v&(phyReset|phyRestart) != 0 && k.link {
			k.linkChanged() // it has negotiated anew, in no time
		}
	}
	k.reg[regMDIC] = r | mdicReady
	if v&mdicInt != 0 {
		k.reg[regICR] |= icrMDAC
	}
}
