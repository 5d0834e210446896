"""What a one-off task runs to try connections: the service's own image, with whatever of it can open a socket. Pure.

An image has what its service needs and no more, so the first of python3, node, bash and nc that is there is taken.
"""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from anden.model.reach import Probe, Seen

WORD = "anden-probe"
"""How a line of an answer begins."""
NOTHING = f"{WORD} none"
LEAST_S = 3
"""Seconds that a connection gets at least: the way may be a VPN, and nc takes whole ones."""
TOOLS = "python3, node, bash (with timeout) or nc"

PYTHON = f"""import socket,sys,threading,time
def one(n,host,port,limit):
    began,seen=time.monotonic(),"silent"
    try:
        socket.create_connection((host,int(port)),float(limit)).close()
        seen="open"
    except socket.gaierror:
        seen="unresolved"
    except ConnectionError:
        seen="refused"
    except OSError:
        pass
    sys.stdout.write("{WORD} %s %s %d\\n"%(n,seen,(time.monotonic()-began)*1000))
    sys.stdout.flush()
a=sys.argv[1:]
t=[threading.Thread(target=one,args=a[i:i+4]) for i in range(0,len(a),4)]
for x in t: x.start()
for x in t: x.join()
"""
NODE = f"""const net=require("net"),a=process.argv.slice(1);
for(let i=0;i<a.length;i+=4){{
const [n,host,port,limit]=a.slice(i,i+4),began=Date.now(),s=net.connect({{host,port:Number(port)}});let told=false;
const say=w=>{{if(!told){{told=true;console.log("{WORD}",n,w,Date.now()-began);clearTimeout(t);s.destroy();}}}};
const t=setTimeout(()=>say("silent"),limit*1000);
s.on("connect",()=>say("open"));
s.on("error",e=>say(["ENOTFOUND","EAI_AGAIN"].includes(e.code)?"unresolved":
["ECONNREFUSED","ECONNRESET"].includes(e.code)?"refused":"silent"));}}
"""
SHELL = f"""has() {{ command -v "$1" >/dev/null 2>&1; }}
if has python3; then exec python3 -c {shlex.quote(PYTHON)} "$@"; fi
if has node; then exec node -e {shlex.quote(NODE)} "$@"; fi
LC_ALL=C; export LC_ALL
if has bash && has timeout; then
knock() {{ timeout "$3" bash -c 'exec 3<>"/dev/tcp/$0/$1"' "$1" "$2" 2>&1; }}
elif has nc; then knock() {{ nc -z -v -w "$3" "$1" "$2" 2>&1; }}
else echo {NOTHING}; exit 3; fi
one() {{ said=$(knock "$2" "$3" "$4"); code=$?
case "$code:$said" in
0:*) seen=open;; 124:*) seen=silent;; *refused*|*reset*) seen=refused;;
*resol*|*"not known"*|*"bad address"*|*"failure in name"*) seen=unresolved;; *) seen=silent;; esac
echo "{WORD} $1 $seen 0"; }}
while [ $# -gt 3 ]; do one "$1" "$2" "$3" "$4" & shift 4; done
wait
"""


@dataclass(frozen=True, slots=True)
class Try:
    """One connection. host: a name, or an address in a name's place."""

    host: str
    port: int
    limit_s: int


@dataclass(frozen=True, slots=True)
class Tried:
    """What it saw, and how long that took; 0 where nothing there measures."""

    seen: Seen
    took_s: float


def limit_s(probe: Probe) -> int:
    """Whole seconds for a probe."""
    return max(LEAST_S, -int(-probe.timeout_s // 1))


def argv(tries: Sequence[Try]) -> list[str]:
    """The command that makes all of them at once."""
    said = ["/bin/sh", "-c", SHELL, WORD]
    for number, each in enumerate(tries):
        said += [str(number), each.host, str(each.port), str(each.limit_s)]
    return said


def answers(text: str) -> Mapping[int, Tried]:
    """By the try's number; lines that are no answer are not ours."""
    found = {}
    for line in text.splitlines():
        match line.split():
            case [word, number, seen, took] if word == WORD and number.isdigit() and took.isdigit() and seen in _SEEN:
                found[int(number)] = Tried(Seen(seen), int(took) / 1000)
    return found


_SEEN = frozenset({Seen.OPEN, Seen.SILENT, Seen.REFUSED, Seen.UNRESOLVED})
