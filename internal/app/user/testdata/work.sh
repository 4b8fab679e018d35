# A script of real work for Debian's programs: what it prints depends on
# nothing but the processor's kind. $1 is a folder for its files.
set -u
export LC_ALL=C PATH=/usr/bin:/bin TZ=UTC
mkdir -p "$1" && cd "$1" || exit 1

echo "== bash"
f() { local i s=0; for ((i=0;i<500;i++)); do ((s+=i*i)); done; echo $s; }
f; a=(x y z); echo ${a[@]^^} ${#a[@]}; [[ abc =~ b(.) ]] && echo ${BASH_REMATCH[1]}
trap 'echo usr1' USR1; kill -USR1 $$; (sleep 0.05; exit 4) & wait $!; echo $?
cat <(echo sub); exec 9>f9; echo nine >&9; exec 9>&-; cat f9; printf '%q %05d\n' "a b" 42
(kill -SEGV $BASHPID); echo $?; echo piped | while read x; do echo $x; done; ulimit -S -c; set -m; sleep 0.01 & wait; set +m

echo "== coreutils"
seq 1 20000 | sort -R --random-source=<(seq 100000) | sort -n | md5sum; seq 1000 | tac | head -3
echo abc | tr a-c A-C; split -l 5000 <(seq 1 20000) part.; wc -l part.*; sha512sum part.aa; factor 1234567890123
date -u -d @1000000000 +%F; timeout 0.2 sleep 5; echo $?; env -i A=1 /usr/bin/env; expr 7 \* 6; numfmt --to=iec 123456789
od -An -tx1 -N8 part.ab; cut -c2 part.ac | sort -u | head -2; join <(seq 5) <(seq 3 7); cp -a part.aa c; cmp c part.aa && echo same
truncate -s 100 c; stat -c '%s %F' c; ln -s c l; readlink l; rm c; ls -l l | cut -c1-10; mkfifo p; (echo fifo >p &); cat p; tty; test -t 0; echo $?
dd if=/dev/zero bs=4k count=25 2>/dev/null | sha1sum; shuf -i 1-9 --random-source=<(seq 9999) | paste -sd,; comm -12 <(seq 9) <(seq 5 9); nproc >/dev/null; df . >/dev/null && du -s . >/dev/null && echo df

echo "== python"
python3 - <<'P'
import json,hashlib,re,threading,subprocess,struct,zlib,decimal,random,socket,os,multiprocessing,ctypes,math,sqlite3,lzma,bz2,select,mmap,signal,time,asyncio,tempfile,fcntl
print(hashlib.sha256(b'x'*100000).hexdigest(), zlib.crc32(b'abc'), re.sub('a+','b','caaat'))
print(decimal.Decimal(1)/7, math.sin(1), struct.pack('>d',1.5).hex(), 2**200, 10**30//7)
r=[]
ts=[threading.Thread(target=lambda i=i:r.append(sum(range(i*1000)))) for i in range(8)]
[t.start() for t in ts];[t.join() for t in ts];print(sorted(r))
print(subprocess.run(['/bin/echo','from sub'],capture_output=True).stdout)
a,b=socket.socketpair();a.send(b'hi');print(b.recv(9))
s=socket.socket();s.bind(('127.0.0.1',0));s.listen();c=socket.create_connection(s.getsockname());d,_=s.accept();c.sendall(b'net'*1000);c.close()
n=0
while True:
    x=d.recv(4096)
    if not x: break
    n+=len(x)
print(n)
u,v=socket.socketpair();rd,wr=os.pipe();socket.send_fds(u,[b'f'],[wr]);m,fds,_,_=socket.recv_fds(v,9,3);os.write(fds[0],b'passed');print(os.read(rd,9))
def sq(x): return x*x
with multiprocessing.get_context('fork').Pool(3) as p: print(p.map(sq,range(10)))
db=sqlite3.connect(':memory:');db.execute('create table t(a,b)');db.executemany('insert into t values(?,?)',[(i,i*i) for i in range(1000)]);print(db.execute('select sum(b),avg(a) from t').fetchone())
print(ctypes.CDLL(None).strlen(b'hello'),len(lzma.compress(b'abc'*9999)),len(bz2.compress(b'abc'*9999)))
random.seed(1);print(sorted(random.random() for _ in range(5))[2], json.dumps({'a':[1,2.5,None]}))
ep=select.epoll();ep.register(a);b.send(b'x');print(len(ep.poll(1)))
mm=mmap.mmap(-1,8192);mm[5:8]=b'map';pid=os.fork()
if pid==0: mm[0:5]=b'child';os._exit(3)
print(os.waitstatus_to_exitcode(os.waitpid(pid,0)[1]),mm[:8])
signal.signal(signal.SIGALRM,lambda *a:print('alarm'));signal.setitimer(signal.ITIMER_REAL,0.02);time.sleep(0.1)
async def main():
    p=await asyncio.create_subprocess_exec('/bin/sh','-c','cat; exit 5',stdin=-1,stdout=-1);o,_=await p.communicate(b'async');return o,p.returncode
async def sleepers(): return await asyncio.gather(*[asyncio.sleep(0.01*i,i) for i in range(5)])
print(asyncio.run(main()),asyncio.run(sleepers()))
with tempfile.TemporaryFile() as f: fcntl.lockf(f,fcntl.LOCK_EX);f.write(b'q');f.flush();print(os.fstat(f.fileno()).st_size)
P
echo "== perl"
perl -e 'my %h; $h{$_%7}+=$_ for 1..10000; print join(",",map{"$_=$h{$_}"}sort keys %h),"\n"; print sprintf("%.10f %s",atan2(1,1)*4,unpack("H*",pack("N",12345))),"\n"; my $p=fork; if(!$p){exit 5} waitpid $p,0; print $?>>8,"\n"; $_="aXbXc"; print join("|",split/X/),"\n"; local $SIG{ALRM}=sub{print "alarm\n"}; alarm 1; select undef,undef,undef,2; open my $o,"-|","echo open" or die; print <$o>;'

echo "== gcc"
cat > t.c <<'C'
#include <stdio.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <signal.h>
#include <setjmp.h>
#include <string.h>
static atomic_long n; static sigjmp_buf jb;
static void *w(void *p){for(int i=0;i<100000;i++)n++;return 0;}
static void h(int s,siginfo_t*i,void*u){siglongjmp(jb,1);}
int main(){pthread_t t[4];for(int i=0;i<4;i++)pthread_create(t+i,0,w,0);for(int i=0;i<4;i++)pthread_join(t[i],0);
 double s=0;for(int i=1;i<100000;i++)s+=sin(i)/i;printf("%ld %.12f\n",(long)n,s);
 struct sigaction sa;memset(&sa,0,sizeof sa);sa.sa_sigaction=h;sa.sa_flags=SA_SIGINFO;sigaction(SIGSEGV,&sa,0);
 if(!sigsetjmp(jb,1)){*(volatile int*)16=1;}else puts("segv"); long double ld=1.0L/3;printf("%.20Lf\n",ld);return 0;}
C
gcc -O2 -o t t.c -lm -pthread && ./t; gcc -O1 -S -o - t.c | grep -v ident | md5sum; gcc -O0 -g -c t.c && nm t.o | cut -c18- | md5sum

echo "== openssl"
openssl dgst -sha256 t.c; openssl enc -aes-256-cbc -pbkdf2 -k x -S 0102030405060708 -in t.c | openssl enc -d -aes-256-cbc -pbkdf2 -k x -S 0102030405060708 | cmp - t.c && echo enc
openssl prime 1000003; echo 1 | openssl dgst -md5; openssl genrsa 1024 2>/dev/null >k && openssl dgst -sign k t.c >sig && openssl rsa -in k -pubout -out pub 2>/dev/null && openssl dgst -verify pub -signature sig t.c

echo "== compress"
seq 1 200000 > big
for z in "xz -1" "xz -T2 -1" bzip2 "zstd -q -T2" "gzip -n"; do $z -c < big > big.z; $z -dc < big.z | cmp - big && echo "$z $(md5sum < big.z)"; done

echo "== sqlite"
sqlite3 db "create table t(a integer primary key,b text); with recursive c(x) as (select 1 union all select x+1 from c where x<5000) insert into t select x,'v'||x from c; select count(*),sum(a),max(b) from t; create index i on t(b); select a from t where b='v77'; pragma journal_mode=wal; insert into t values(9999,'w'); select max(a) from t;"

echo "== git"
export HOME=$PWD GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@a GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@a GIT_AUTHOR_DATE="2020-01-01T00:00:00Z" GIT_COMMITTER_DATE="2020-01-01T00:00:00Z"
git init -q -b m r; cd r; for i in 1 2 3; do seq $i 100 > f$i; git add .; git commit -qm c$i; done
git log --oneline; git diff HEAD~2 --stat; git gc -q; git fsck; git checkout -q HEAD~1; ls; git clone -q . ../r2 && git -C ../r2 rev-parse HEAD; cd ..

echo "== gawk make tar busybox"
gawk 'BEGIN{for(i=0;i<50000;i++)s+=sqrt(i);printf "%.6f\n",s; "echo pipe"|getline x; print x; print strftime("%F",0,1)}'
printf 'a: b c\n\t@echo made a\nb c:\n\t@echo made $@\n' > mk; make -s -f mk
tar cf x.tar --sort=name --mtime=@0 --owner=0 --group=0 part.aa t.c; tar tvf x.tar | gawk '{print $3,$6}'; tar xOf x.tar t.c | md5sum; sed -n '/main/p' t.c | md5sum
busybox sh -c 'echo $((6*7)); busybox seq 9 | busybox tac | busybox md5sum'; find . -name 'part.*' | sort | xargs grep -c 77

echo "== util-linux iproute2 net-tools"
export PATH=$PATH:/sbin
ip -o link show lo | cut -d' ' -f2; ip -4 addr show lo | grep -o '127.0.0.1/8'; ifconfig lo | grep -o 'inet 127[^ ]*'; netstat -an >/dev/null && ss -l >/dev/null && echo sockets; route -n | head -1
script -qec 'stty size; stty -a | head -1' /dev/null </dev/null | tr -d '\r'; setsid sh -c 'echo session'; flock f9 echo locked; getopt -o ab: -- -a -b c; uuidgen -n @dns -N example.org --sha1; ipcmk -Q >/dev/null && ipcs -q | head -2 | tail -1; ipcrm --all=msg; taskset -p $$ >/dev/null && chrt -p $$ | cut -d: -f1 | cut -c1-3; prlimit --nofile | tail -1 | cut -d' ' -f1; hexdump -C f9; rev f9; renice -n 0 $$ | grep -c priority; echo done
