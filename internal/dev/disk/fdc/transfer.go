package fdc

import (
	"rhea/internal/block"
	"rhea/internal/snap"
)

// op is what a command's execution does.
type op uint8

const (
	opNone op = iota
	opRead
	opReadDeleted
	opReadTrack
	opWrite
	opWriteDeleted
	opVerify
	opFormat
	opScanEqual
	opScanLow
	opScanHigh
	opReadID
	opLast = opReadID
)

func (o op) toHost() bool { return o >= opRead && o <= opReadTrack }
func (o op) fromHost() bool {
	return o.writes() || o.scans()
}
func (o op) writes() bool { return o == opWrite || o == opWriteDeleted || o == opFormat }
func (o op) scans() bool  { return o >= opScanEqual && o <= opScanHigh }
func (o op) moves() bool  { return o.toHost() || o.fromHost() }

// transfer is the command in execution. Sectors go through buf in runs that
// do not cross the end of a track: buf[:end] are the sectors from start on,
// and buf[:pos] the host has dealt with. For FORMAT TRACK it holds the IDs.
type transfer struct {
	op    op
	drive int
	head  int
	// C, H, R, N as the result has them; eot is SC for FORMAT TRACK.
	c, h, r, n, eot uint8
	dtl             uint8 // also SC of VERIFY, STP of SCAN, D of FORMAT TRACK
	mt, mfm, sk     bool
	dma             bool
	st1, st2        uint8

	buf      []byte
	start    int // sector number R of buf's first
	pos, end int
	last     bool // the command ends with this run
	cmp      int  // SCAN: whether the disk's sector is less (-1) or greater (1) so far

	inFlight bool
	gen      uint64 // of the command: results for an older one are dropped
}

// ready reports whether the host can move a byte.
func (x *transfer) ready() bool { return x.op.moves() && !x.inFlight && x.pos < x.end }

// abandon ends the execution.
func (f *Controller) abandon() {
	x := &f.x
	buf := x.buf
	if x.inFlight {
		buf = make([]byte, trackSize) // the old one still belongs to the queue
	}
	*x = transfer{buf: buf, gen: x.gen + 1}
	f.at[evExec], f.at[evPIO] = 0, 0
}

// begin starts a command that has an execution phase.
func (f *Controller) begin(o op) {
	f.abandon()
	x := &f.x
	x.op = o
	x.drive, x.head = int(f.cmd[1]&3), int(f.cmd[1]>>2&1)
	x.mfm = f.cmd[0]&cmdMFM != 0
	x.dma = f.specify[1]&1 == 0
	f.phase = phExec
	f.after(evExec, commandDelay)
}

func (f *Controller) data(o op) {
	f.begin(o)
	x := &f.x
	x.mt, x.sk = f.cmd[0]&cmdMT != 0, f.cmd[0]&cmdSK != 0
	x.c, x.h, x.r, x.n, x.eot, x.dtl = f.cmd[2], f.cmd[3], f.cmd[4], f.cmd[5], f.cmd[6], f.cmd[8]
	f.eot = x.eot
}

func (f *Controller) cmdFormat() {
	f.begin(opFormat)
	x := &f.x
	x.n, x.eot, x.dtl = f.cmd[2], f.cmd[3], f.cmd[5]
	f.eot = x.eot
}

func (f *Controller) cmdReadID() { f.begin(opReadID) }

// result ends a command with its seven bytes.
func (f *Controller) result(st0 uint8) {
	x := &f.x
	f.reply(st0|uint8(x.head)<<2|uint8(x.drive), x.st1, x.st2, x.c, x.h, x.r, x.n)
	f.abandon()
	f.polls = 0
	f.intr = true
}

func (f *Controller) finish() { f.result(0) }

func (f *Controller) fail(st1, st2 uint8) {
	f.x.st1 |= st1
	f.x.st2 |= st2
	f.result(st0Abnormal)
}

// execute begins the execution phase: the drive looks for what is asked.
func (f *Controller) execute() {
	x := &f.x
	if f.phase != phExec || x.op == opNone || x.inFlight {
		return
	}
	if t := f.at[evSeek+x.drive]; t != 0 { // the head is not there yet
		f.at[evExec] = t
		return
	}
	d := f.drive(x.drive)
	switch {
	case d == nil || d.q == nil:
		f.fail(st1MA, 0)
		return
	case x.op.writes() && d.readOnly():
		f.fail(st1NW, 0)
		return
	case x.op == opFormat:
		f.format(d)
		return
	}
	if f.config&cfgEIS != 0 && x.op != opReadID && !d.on(int(x.c)) {
		d.step(int(x.c) - d.pos)
		f.pcn[x.drive] = x.c
	}
	if !f.legible(d) || x.head >= d.fm.heads || d.track() >= d.fm.tracks {
		f.fail(st1MA, 0) // nothing there that looks like an address mark
		return
	}
	switch {
	case x.op == opReadID:
		x.c, x.h, x.n = uint8(d.track()), uint8(x.head), 2
		x.r = uint8(d.next%d.fm.sectors + 1) // they rotate
		d.next = int(x.r) % d.fm.sectors
		f.finish()
	case x.op == opReadTrack && x.n == 2 && d.on(int(x.c)):
		// All sectors from the index hole on; that an ID is not the one
		// asked for is only noted (§5.1.3).
		if int(x.h) != x.head || x.r != 1 {
			x.st1 |= st1ND
		}
		x.h, x.r = uint8(x.head), 1
		f.nextRun(d)
	case !d.on(int(x.c)):
		f.fail(st1ND, st2WC)
	case int(x.h) != x.head || x.n != 2:
		f.fail(st1ND, 0)
	case x.op == opVerify:
		f.verify(d)
	default:
		f.nextRun(d)
	}
}

// legible reports whether the bits that pass look like any to the command:
// images are MFM.
func (f *Controller) legible(d *drive) bool {
	return f.x.mfm && (f.rate == d.fm.rate || !f.rateSet)
}

// nextRun goes on with sector r of the track.
func (f *Controller) nextRun(d *drive) {
	x := &f.x
	for {
		r := int(x.r)
		if r < 1 || r > d.fm.sectors || x.head >= d.fm.heads {
			f.fail(st1ND, 0)
			return
		}
		at := d.sector(int(x.c), x.head, r)
		n := d.fm.sectors - r + 1
		if r <= int(x.eot) {
			n = min(n, int(x.eot)-r+1)
		}
		if x.op == opWrite || x.op == opWriteDeleted {
			if !x.dma {
				n = 1
			}
			x.start, x.pos, x.end = r, 0, n*sectorSize
			f.offer()
			return
		}
		if x.op.scans() {
			n = 1
		}
		if x.op != opReadTrack {
			want := x.op == opReadDeleted
			if d.isDeleted(at) != want { // table 5-3
				x.st2 |= st2CM
				if x.sk {
					if !f.nextSector(d) {
						return
					}
					continue
				}
				n, x.last = 1, true
			}
			for i := 1; i < n; i++ {
				if d.isDeleted(at+i) != want {
					n = i
				}
			}
		}
		x.start, x.pos, x.end, x.cmp = r, 0, 0, 0
		f.access(d, block.Read, at, n, func(err error) {
			if err != nil {
				f.fail(st1DE, st2DD)
				return
			}
			x.end = n * sectorSize
			f.offer()
		})
		return
	}
}

// offer lets the host move data.
func (f *Controller) offer() {
	if !f.x.dma {
		f.intr = true
	}
}

// pioNext follows a byte that was moved without DMA: the controller wants the
// next, and says so again if the host does not see it at once.
func (f *Controller) pioNext() {
	if f.x.ready() && !f.intr {
		f.after(evPIO, pioDelay)
	}
}

// access reads or writes n sectors, whose data are at the buffer's beginning.
func (f *Controller) access(d *drive, o block.Op, sector, n int, then func(error)) {
	x := &f.x
	b := x.buf[:n*sectorSize]
	off := int64(sector) * sectorSize
	if o == block.Read { // what a short image lacks is zero
		got := min(max(d.q.Backend().Size()-off, 0), int64(len(b)))
		clear(b[got:])
		if b = b[:got]; got == 0 {
			then(nil)
			return
		}
	}
	x.inFlight = true
	gen := x.gen
	d.q.Submit(o, off, b, 0, func(err error) {
		if x.gen != gen {
			return
		}
		x.inFlight = false
		if err != nil {
			f.c.Env.Log.Guest("fdc: drive %d: %v", x.drive, err)
		}
		then(err)
		if !f.c.Sync {
			f.Settle()
		}
	})
}

// DMARead implements the DMA controller's peer: p was read from memory.
func (f *Controller) DMARead(p []byte, tc bool) int {
	if f.dor&dorDMAEN == 0 || !f.x.dma || !f.x.op.fromHost() || !f.x.ready() {
		return 0
	}
	n := f.take(p, tc)
	f.Settle()
	return n
}

// DMAWrite implements the DMA controller's peer: p goes to memory.
func (f *Controller) DMAWrite(p []byte, tc bool) int {
	if f.dor&dorDMAEN == 0 || !f.x.dma || !f.x.op.toHost() || !f.x.ready() {
		return 0
	}
	n := f.give(p, tc)
	f.Settle()
	return n
}

// give moves data to the host; tc says that the last byte of p is the last
// that it wants.
func (f *Controller) give(p []byte, tc bool) int {
	x := &f.x
	n := copy(p, x.buf[x.pos:x.end])
	x.pos += n
	tc = tc && n == len(p)
	if tc || x.pos == x.end {
		f.moved((x.pos+sectorSize-1)/sectorSize, tc)
	}
	return n
}

// take moves data from the host.
func (f *Controller) take(p []byte, tc bool) int {
	x := &f.x
	n := min(len(p), x.end-x.pos)
	if x.op.scans() {
		x.compare(p[:n])
	} else {
		copy(x.buf[x.pos:], p[:n])
	}
	x.pos += n
	tc = tc && n == len(p)
	if !tc && x.pos < x.end {
		return n
	}
	d := f.drive(x.drive)
	switch {
	case x.op == opFormat:
		f.formatTrack(d)
	case x.op.scans():
		f.scanned(d, tc)
	default:
		f.store(d, tc)
	}
	return n
}

// store writes what the host has sent; zeroes fill the rest of a sector.
func (f *Controller) store(d *drive, tc bool) {
	x := &f.x
	n := (x.pos + sectorSize - 1) / sectorSize
	clear(x.buf[x.pos : n*sectorSize])
	at := d.sector(int(x.c), x.head, x.start)
	x.pos, x.end = 0, 0
	f.access(d, block.Write, at, n, func(err error) {
		if err != nil {
			f.fail(st1DE, st2DD)
			return
		}
		d.setDeleted(at, n, x.op == opWriteDeleted)
		f.moved(n, tc)
	})
}

// moved follows the last byte of n sectors of the run.
func (f *Controller) moved(n int, tc bool) {
	x := &f.x
	x.r = uint8(x.start + n - 1)
	x.pos, x.end = 0, 0
	if tc || x.last {
		x.advance()
		f.finish()
		return
	}
	if d := f.drive(x.drive); f.nextSector(d) {
		f.nextRun(d)
	}
}

// nextSector goes from a sector that is done to the next. At the end of the
// cylinder it ends the command and reports false: nobody has said TC.
func (f *Controller) nextSector(d *drive) bool {
	x := &f.x
	end := x.r == x.eot
	turn := end && x.mt && x.head == 0 && x.op != opReadTrack
	x.advance()
	if turn {
		x.head = 1
		if d.fm.heads < 2 {
			f.fail(st1MA, 0)
			return false
		}
		return true
	}
	if end {
		f.fail(st1EN, 0)
	}
	return !end
}

// advance sets C, H and R to what follows a sector (table 5-5).
func (x *transfer) advance() {
	if x.r != x.eot {
		x.r++
		return
	}
	x.r = 1
	if x.mt {
		x.h ^= 1
	}
	if !x.mt || x.head == 1 {
		x.c++
	}
}

// verify is READ DATA with nobody to read it (§5.1.5). With EC set it ends
// after SC sectors, else at EOT.
func (f *Controller) verify(d *drive) {
	x := &f.x
	left := -1
	if f.cmd[1]&0x80 != 0 {
		left = int(x.dtl)
		if left == 0 {
			left = 256
		}
	}
	for range 2 * maxSectors {
		r := int(x.r)
		if r < 1 || r > d.fm.sectors {
			f.fail(st1ND, 0)
			return
		}
		deleted := d.isDeleted(d.sector(int(x.c), x.head, r))
		if deleted {
			x.st2 |= st2CM
		}
		if !deleted || !x.sk {
			left--
		}
		end := x.r == x.eot && (!x.mt || x.head == 1)
		switch {
		case left == 0, deleted && !x.sk, left < 0 && end:
			x.advance()
			f.finish()
			return
		}
		if !f.nextSector(d) {
			return
		}
	}
	f.fail(st1ND, 0)
}

// compare goes on with SCAN: the first byte that differs decides, FFh on
// either side fits anything.
func (x *transfer) compare(p []byte) {
	for i, v := range p {
		if x.cmp != 0 {
			return
		}
		d := x.buf[x.pos+i]
		switch {
		case v == 0xff || d == 0xff || v == d:
		case d < v:
			x.cmp = -1
		default:
			x.cmp = 1
		}
	}
}

// scanned follows the last byte of a sector of SCAN (table 5-11).
func (f *Controller) scanned(d *drive, tc bool) {
	x := &f.x
	x.pos, x.end = 0, 0
	met := x.cmp == 0 || x.op == opScanLow && x.cmp < 0 || x.op == opScanHigh && x.cmp > 0
	switch {
	case met && x.cmp == 0:
		x.st2 |= st2SH
	case !met:
		x.st2 |= st2SN
	}
	if met || tc || x.last {
		x.advance()
		f.finish()
		return
	}
	// STP is 1 or 2: the next sector, or the one after it.
	for range max(1, min(x.dtl, 2)) {
		if x.r == x.eot && (!x.mt || x.head == 1) {
			x.advance()
			f.finish()
			return
		}
		if !f.nextSector(d) {
			return
		}
	}
	x.st2 &^= st2SN
	f.nextRun(d)
}

// format takes the IDs of FORMAT TRACK.
func (f *Controller) format(d *drive) {
	x := &f.x
	x.pos, x.end = 0, 4*int(x.eot)
	if x.end == 0 {
		f.finish()
		return
	}
	f.offer()
}

// formatTrack fills the sectors whose IDs have come. An image has the sectors
// that it has: what is formatted otherwise is lost, and cannot be read.
func (f *Controller) formatTrack(d *drive) {
	x := &f.x
	var has [maxSectors + 1]bool
	track, lost := -1, 0
	for id := x.buf[:x.pos]; len(id) >= 4; id = id[4:] {
		c, h, r, n := int(id[0]), int(id[1]), int(id[2]), id[3]
		x.c, x.h, x.r = id[0], id[1], id[2]
		if track < 0 && d.on(c) {
			track = c
		}
		if c != track || h != x.head || h >= d.fm.heads || n != 2 || x.n != 2 || r < 1 || r > d.fm.sectors ||
			!f.legible(d) {
			lost++
			continue
		}
		has[r] = true
	}
	if lost > 0 {
		f.c.Env.Log.Unimp("fdc: FORMAT TRACK with %d sectors that the image has no room for", lost)
	}
	x.pos, x.end = 0, 0
	for i := range x.buf {
		x.buf[i] = x.dtl
	}
	f.formatRun(d, track, 1, has)
}

// formatRun writes the sectors from r on.
func (f *Controller) formatRun(d *drive, track, r int, has [maxSectors + 1]bool) {
	for r <= maxSectors && !has[r] {
		r++
	}
	if r > maxSectors {
		f.finish()
		return
	}
	n := 1
	for r+n <= maxSectors && has[r+n] {
		n++
	}
	at := d.sector(track, f.x.head, r)
	f.access(d, block.Write, at, n, func(err error) {
		if err != nil {
			f.fail(st1DE, st2DD)
			return
		}
		d.setDeleted(at, n, false)
		f.formatRun(d, track, r+n, has)
	})
}

// State implements dev.Device. A controller is saved when it is not Busy.
func (f *Controller) State(s *snap.Section) {
	s.Version(1)
	if s.Loading() {
		f.abandon()
	}
	for _, r := range []struct {
		name string
		p    *uint8
	}{{"dor", &f.dor}, {"tdr", &f.tdr}, {"dsr", &f.dsr}, {"rate", &f.rate}, {"phase", (*uint8)(&f.phase)}} {
		s.U8(r.name, r.p)
	}
	s.Bool("rate-set", &f.rateSet)
	s.Check(f.rate < 4 && f.phase <= phResult, "a register is out of range")
	s.Bytes("command", f.cmd[:])
	s.Int("received", &f.ncmd, 0, len(f.cmd))
	s.Int("wanted", &f.need, 0, len(f.cmd))
	s.Bytes("result", f.res[:])
	s.Int("result-pos", &f.rpos, 0, len(f.res))
	s.Int("result-end", &f.rend, 0, len(f.res))
	s.Check(f.phase != phCommand || f.ncmd >= 1 && f.ncmd < f.need && f.need <= 1+lookup(f.cmd[0]).params, "impossible command")
	s.Check((f.phase == phResult) == (f.rpos < f.rend), "impossible result")
	s.Bytes("specify", f.specify[:])
	s.U8("config", &f.config)
	s.U8("precompensation", &f.pretrk)
	s.Bool("lock", &f.lock)
	s.U8("perpendicular", &f.perp)
	s.U8("eot", &f.eot)
	s.Bytes("tracks", f.pcn[:])
	s.Bytes("drive-specification", f.spec[:])
	s.U8("option", &f.option)
	s.Bool("int", &f.intr)
	s.Int("polls", &f.polls, 0, 4)
	s.U8("sought", &f.sought)
	s.Bytes("seek-status", f.seekST0[:])
	s.U8("busy", &f.busy)
	s.Check(f.busy < 16 && f.sought&^f.busy == 0, "impossible seek")
	for i, name := range [nEvents]string{"reset-at", "execution-at", "data-at", "seek0-at", "seek1-at", "seek2-at", "seek3-at"} {
		s.I64(name, &f.at[i])
	}
	for i, d := range f.drives {
		if d != nil {
			s.Sub([...]string{"drive0", "drive1"}[i], d.state)
		}
	}
	s.Sub("transfer", f.transferState)
	if s.Loading() && s.Err() != nil {
		f.softReset()
	}
}

func (f *Controller) transferState(s *snap.Section) {
	x := &f.x
	s.Version(1)
	s.U8("op", (*uint8)(&x.op))
	s.Int("drive", &x.drive, 0, 3)
	s.Int("head", &x.head, 0, 1)
	for _, r := range []struct {
		name string
		p    *uint8
	}{{"c", &x.c}, {"h", &x.h}, {"r", &x.r}, {"n", &x.n}, {"eot", &x.eot}, {"dtl", &x.dtl}, {"st1", &x.st1}, {"st2", &x.st2}} {
		s.U8(r.name, r.p)
	}
	s.Bool("multi-track", &x.mt)
	s.Bool("mfm", &x.mfm)
	s.Bool("skip", &x.sk)
	s.Bool("dma", &x.dma)
	s.Bool("last", &x.last)
	s.Int("start", &x.start, 0, maxSectors)
	s.Int("pos", &x.pos, 0, trackSize)
	s.Int("end", &x.end, 0, trackSize)
	s.Int("compared", &x.cmp, -1, 1)
	data := x.buf[:min(max(x.end, 0), trackSize)]
	s.VarBytes("data", &data, trackSize)
	if !s.Loading() || s.Err() != nil {
		return
	}
	s.Check(x.op <= opLast && (x.op != opNone) == (f.phase == phExec) && x.pos <= x.end && len(data) == x.end, "impossible transfer")
	if x.end > 0 && s.Err() == nil {
		d := f.drive(x.drive)
		s.Check(x.op.moves() && d != nil && d.q != nil, "transfer without a drive")
		switch {
		case s.Err() != nil:
		case x.op == opFormat:
			s.Check(x.end == 4*int(x.eot), "impossible format")
		default:
			n := x.end / sectorSize
			s.Check(x.end%sectorSize == 0 && x.start >= 1 && x.start+n-1 <= d.fm.sectors && x.head < d.fm.heads && int(x.c) < d.fm.tracks,
				"transfer beyond the medium")
			s.Check(!x.op.scans() || n == 1, "impossible scan")
		}
		s.Check(x.op.toHost() || x.op.fromHost(), "impossible transfer")
	}
	if s.Err() != nil {
		f.abandon()
		f.phase = phIdle
		return
	}
	copy(x.buf, data)
}
