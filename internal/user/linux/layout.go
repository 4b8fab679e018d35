package linux

import (
	"encoding/binary"
	"strconv"
	"strings"
	"sync"
)

// A structure is described as text, once for all that share it: fields of a
// name and a type, in their order, aligned as the ABI says.
//
//	b s u i Q q   integers of 1, 2, 4, 4, 8 and 8 bytes; i and q are signed
//	l L p         a long, an unsigned long, a pointer
//	a[n]          n bytes, copied
//	z             nothing, aligned as a pointer: where a union begins
//
// A field "-" is padding. Conversion is by name: what the other side does not
// have is dropped, or zero.

// field is one of a layout.
type field struct {
	name   string
	off    int
	size   int
	signed bool
	bytes  bool
}

// layout is a structure as an ABI has it.
type layout struct {
	fields []field
	size   int
	order  binary.ByteOrder
}

// newLayout lays a description out.
func newLayout(desc string, long, align64 int, order binary.ByteOrder) *layout {
	l := &layout{order: order}
	most := 1
	for _, f := range strings.Fields(desc) {
		name, typ, _ := strings.Cut(f, ":")
		if typ == "" {
			panic("BUG: linux: layout field " + f)
		}
		x := field{name: name}
		align := 0
		switch typ[0] {
		case 'b':
			x.size = 1
		case 's':
			x.size = 2
		case 'u', 'i':
			x.size = 4
		case 'Q', 'q':
			x.size, align = 8, align64
		case 'l', 'L', 'p':
			x.size = long
		case 'z':
			align = long
		case 'a':
			n, err := strconv.Atoi(strings.Trim(typ[1:], "[]"))
			if err != nil {
				panic("BUG: linux: layout field " + f)
			}
			x.size, x.bytes, align = n, true, 1
		default:
			panic("BUG: linux: layout field " + f)
		}
		x.signed = typ[0] == 'i' || typ[0] == 'q' || typ[0] == 'l'
		if align == 0 {
			align = x.size
		}
		most = max(most, align)
		l.size = (l.size + align - 1) / align * align
		x.off = l.size
		l.size += x.size
		if name != "-" && x.size > 0 {
			l.fields = append(l.fields, x)
		}
	}
	l.size = (l.size + most - 1) / most * most
	return l
}

func (l *layout) find(name string) *field {
	for i := range l.fields {
		if l.fields[i].name == name {
			return &l.fields[i]
		}
	}
	return nil
}

func (l *layout) get(f *field, b []byte) uint64 {
	b = b[f.off:]
	switch f.size {
	case 1:
		if f.signed {
			return uint64(int8(b[0]))
		}
		return uint64(b[0])
	case 2:
		return uint64(l.order.Uint16(b))
	case 4:
		if f.signed {
			return uint64(int32(l.order.Uint32(b)))
		}
		return uint64(l.order.Uint32(b))
	}
	return l.order.Uint64(b)
}

func (l *layout) put(f *field, b []byte, v uint64) {
	b = b[f.off:]
	switch f.size {
	case 1:
		b[0] = byte(v)
	case 2:
		l.order.PutUint16(b, uint16(v))
	case 4:
		l.order.PutUint32(b, uint32(v))
	default:
		l.order.PutUint64(b, v)
	}
}

// set stores the field called name, which must exist.
func (l *layout) set(b []byte, name string, v uint64) {
	f := l.find(name)
	if f == nil {
		panic("BUG: linux: no field " + name)
	}
	l.put(f, b, v)
}

// value reads the field called name, which must exist.
func (l *layout) value(b []byte, name string) uint64 {
	f := l.find(name)
	if f == nil {
		panic("BUG: linux: no field " + name)
	}
	return l.get(f, b)
}

// move is a step of a conversion.
type move struct{ from, to *field }

// conversion makes one layout of another.
type conversion struct {
	from, to *layout
	moves    []move
}

func newConversion(from, to *layout) *conversion {
	c := &conversion{from: from, to: to}
	for i := range to.fields {
		if f := from.find(to.fields[i].name); f != nil {
			c.moves = append(c.moves, move{f, &to.fields[i]})
		}
	}
	return c
}

// do converts src to dst, which it clears.
func (c *conversion) do(dst, src []byte) {
	clear(dst[:c.to.size])
	for _, m := range c.moves {
		if m.from.bytes {
			copy(dst[m.to.off:m.to.off+m.to.size], src[m.from.off:m.from.off+m.from.size])
			continue
		}
		c.to.put(m.to, dst, c.from.get(m.from, src))
	}
}

// structure is one that the host and the guest have, each in its way.
type structure struct {
	host, guest *layout
	in, out     *conversion // guest to host, host to guest
}

// structures are those of an ABI by name, made when they are first needed.
type structures struct {
	abi  *ABI
	host map[string]string

	mu   sync.RWMutex
	made map[string]*structure
}

func newStructures(a *ABI) *structures {
	return &structures{abi: a, host: hostLayouts(), made: map[string]*structure{}}
}

// of returns a structure, which must exist. The host's description serves the
// guest too, if the ABI has none of its own.
func (s *structures) of(name string) *structure {
	s.mu.RLock()
	x := s.made[name]
	s.mu.RUnlock()
	if x != nil {
		return x
	}
	desc, ok := s.host[name]
	if !ok {
		panic("BUG: linux: no layout " + name)
	}
	x = &structure{host: newLayout(desc, 8, 8, binary.LittleEndian)}
	if own, ok := s.abi.layouts[name]; ok {
		desc = own
	}
	x.guest = newLayout(desc, s.abi.Long, s.abi.Align64, s.abi.Order)
	x.in, x.out = newConversion(x.guest, x.host), newConversion(x.host, x.guest)
	s.mu.Lock()
	s.made[name] = x
	s.mu.Unlock()
	return x
}

// hostLayouts describes the structures of a 64-bit Linux host (the kernel's
// include/uapi).
func hostLayouts() map[string]string {
	stat := "dev:Q ino:Q nlink:L mode:u uid:u gid:u -:u rdev:Q size:q blksize:l blocks:q " +
		"atime:l atimensec:L mtime:l mtimensec:L ctime:l ctimensec:L -:l -:l -:l"
	statfs := "type:l bsize:l blocks:L bfree:L bavail:L files:L ffree:L fsid:a[8] namelen:l frsize:l flags:l -:l -:l -:l -:l"
	perm := "key:i uid:u gid:u cuid:u cgid:u mode:u seq:s -:s -:L -:L "
	return map[string]string{
		"mq_attr":  "flags:l maxmsg:l msgsize:l curmsgs:l -:l -:l -:l -:l",
		"msqid_ds": perm + "stime:l rtime:l ctime:l cbytes:L qnum:L qbytes:L lspid:i lrpid:i -:L -:L",
		"shmid_ds": perm + "segsz:L atime:l dtime:l ctime:l cpid:i lpid:i nattch:L -:L -:L",
		"semid_ds": perm + "otime:l -:L ctime:l -:L nsems:L -:L -:L",
		"msginfo":  "a:a[32]", "seminfo": "a:a[40]",
		"shminfo":  "max:L min:L mni:L seg:L all:L -:L -:L -:L -:L",
		"shm_info": "ids:i tot:L rss:L swp:L attempts:L successes:L",
		"stat":     stat, "stat64": stat,
		"statfs": statfs, "statfs64": statfs,
		"timespec": "sec:l nsec:l", "timespec64": "sec:q nsec:q",
		"timeval":   "sec:l usec:l",
		"itimerval": "isec:l iusec:l sec:l usec:l", "itimerspec": "isec:l insec:l sec:l nsec:l", "itimerspec64": "isec:q insec:q sec:q nsec:q",
		"rusage": "a:l b:l c:l d:l e:l f:l g:l h:l i:l j:l k:l l:l m:l n:l o:l p:l q:l r:l",
		"rlimit": "cur:L max:L", "rlimit64": "cur:Q max:Q",
		"sysinfo": "uptime:l load0:L load1:L load2:L totalram:L freeram:L sharedram:L bufferram:L totalswap:L freeswap:L procs:s -:s totalhigh:L freehigh:L unit:u",
		"tms":     "utime:l stime:l cutime:l cstime:l",
		"iovec":   "base:p len:L",
		"msghdr":  "name:p namelen:u iov:p iovlen:L control:p controllen:L flags:i",
		"cmsghdr": "len:L level:i type:i",
		"flock":   "type:s whence:s start:l len:l pid:i", "flock64": "type:s whence:s start:q len:q pid:i",
		"sigevent": "value:p signo:i notify:i tid:i -:a[44]",
		"utimbuf":  "actime:l modtime:l",
		"timex": "modes:u offset:l freq:l maxerror:l esterror:l status:i constant:l precision:l tolerance:l sec:l usec:l tick:l " +
			"ppsfreq:l jitter:l shift:i stabil:l jitcnt:l calcnt:l errcnt:l stbcnt:l tai:i -:a[44]",
		"epoll_event": "events:u data0:u data1:u",
		"ifreq":       "name:a[16] data:a[16] -:a[8]",
		"ifreq_map":   "name:a[16] start:L end:L base:s irq:b dma:b port:b -:b -:b -:b",
		"ifreq_data":  "name:a[16] data:p -:l -:l",
		"rtentry":     "-:L dst:a[16] gateway:a[16] genmask:a[16] flags:s -:s -:L -:p metric:s data:p mtu:L window:L irtt:s",
		"in6_rtmsg":   "addresses:a[48] type:u dstlen:s srclen:s metric:u info:L flags:u ifindex:i",
		"blkpg":       "op:i flags:i datalen:i data:p",
		"hd_geometry": "heads:b sectors:b cylinders:s start:L",
		"loop_info": "number:i device:L inode:L rdevice:L offset:i encrypt:i keysize:i flags:i name:a[64] key:a[32] " +
			"init0:L init1:L -:a[4]",
		"serial": "type:i line:i port:u irq:i flags:i xmit:i custom:i baud:i delay:s iotype:b -:b hub6:i wait:s wait2:s " +
			"data:p shift:s porthigh:u iomap:L",
		"long":    "v:l",
		"mmsghdr": "name:p namelen:u iov:p iovlen:L control:p controllen:L flags:i -:u len:u",
	}
}

// i386Layouts are those that differ from the host's in more than the size of a
// long (arch/x86/include/uapi/asm/stat.h, statfs.h; asm-generic).
func i386Layouts() map[string]string {
	perm := "key:i uid:u gid:u cuid:u cgid:u mode:u seq:s -:s -:L -:L "
	return map[string]string{
		"msqid_ds": perm + "stime:L -:L rtime:L -:L ctime:L -:L cbytes:L qnum:L qbytes:L lspid:i lrpid:i -:L -:L",
		"shmid_ds": perm + "segsz:L atime:L -:L dtime:L -:L ctime:L -:L cpid:i lpid:i nattch:L -:L -:L",
		"semid_ds": perm + "otime:L -:L ctime:L -:L nsems:L -:L -:L",
		"stat": "dev:L ino:L mode:s nlink:s uid:s gid:s rdev:L size:L blksize:L blocks:L " +
			"atime:L atimensec:L mtime:L mtimensec:L ctime:L ctimensec:L -:L -:L",
		"stat64": "dev:Q -:u ino32:L mode:u nlink:u uid:u gid:u rdev:Q -:u size:q blksize:L blocks:Q " +
			"atime:L atimensec:L mtime:L mtimensec:L ctime:L ctimensec:L ino:Q",
		"statfs64": "type:L bsize:L blocks:Q bfree:Q bavail:Q files:Q ffree:Q fsid:a[8] namelen:L frsize:L flags:L -:L -:L -:L -:L",
		"sigevent": "value:p signo:i notify:i tid:i -:a[48]",
		"sysinfo": "uptime:l load0:L load1:L load2:L totalram:L freeram:L sharedram:L bufferram:L totalswap:L freeswap:L procs:s -:s " +
			"totalhigh:L freehigh:L unit:u -:a[8]",
		"mmsghdr":    "name:p namelen:u iov:p iovlen:L control:p controllen:L flags:i len:u",
		"ifreq":      "name:a[16] data:a[16]",
		"ifreq_data": "name:a[16] data:p -:l -:l -:l",
		// Device numbers are of 16 bits.
		"loop_info": "number:i device:s inode:L rdevice:s offset:i encrypt:i keysize:i flags:i name:a[64] key:a[32] " +
			"init0:L init1:L -:a[4]",
	}
}
