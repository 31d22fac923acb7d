# Seeds or downloads one torrent with libtorrent, on the loopback interface only.
import argparse
import signal
import sys

import libtorrent as lt

parser = argparse.ArgumentParser()
parser.add_argument('source', help='path of a .torrent, or a magnet link')
parser.add_argument('folder', help='of the data')
parser.add_argument('port', help='on which to listen')
parser.add_argument('--peer', metavar='HOST:PORT', help='to connect to')
parser.add_argument('--pex', action='store_true', help='exchange peers')
parser.add_argument('--encryption', choices=['off', 'prefer', 'require'], default='off')
arguments = parser.parse_args()

signal.signal(signal.SIGTERM, lambda *_: sys.exit())

policy = {
    'off': lt.enc_policy.pe_disabled,
    'prefer': lt.enc_policy.pe_enabled,
    'require': lt.enc_policy.pe_forced,
}[arguments.encryption]

session = lt.session({
    'listen_interfaces': f'127.0.0.1:{arguments.port}',
    # All peers of a test have the same address.
    'allow_multiple_connections_per_ip': True,
    'min_reconnect_time': 1,
    'enable_dht': False,
    'enable_lsd': False,
    'enable_natpmp': False,
    'enable_upnp': False,
    'enable_incoming_utp': False,
    'enable_outgoing_utp': False,
    'in_enc_policy': int(policy),
    'out_enc_policy': int(policy),
    # Not only the exchange.
    'allowed_enc_level': int(lt.enc_level.pe_rc4),
    'alert_mask': lt.alert.category_t.error_notification | lt.alert.category_t.status_notification
    | lt.alert.category_t.connect_notification,
})
if arguments.source.startswith('magnet:'):
    params = lt.parse_magnet_uri(arguments.source)
else:
    params = lt.add_torrent_params()
    params.ti = lt.torrent_info(arguments.source)
params.save_path = arguments.folder
if not arguments.pex:
    params.flags |= lt.torrent_flags.disable_pex
params.flags &= ~(lt.torrent_flags.paused | lt.torrent_flags.auto_managed)
handle = session.add_torrent(params)

states = lt.torrent_status
DOWNLOADING = (states.downloading_metadata, states.downloading)
is_seeder = True
is_connected = False
is_complete = False
while True:
    # No longer: a signal to stop takes effect after it.
    session.wait_for_alert(100)
    for alert in session.pop_alerts():
        print(alert.message(), flush=True)
    status = handle.status()
    if status.state in DOWNLOADING:
        is_seeder = False
    # While it checks its data it has no peers.
    is_ready = status.state in DOWNLOADING or status.state == states.seeding
    # A leecher may hang up once it has the metadata of its magnet link, and expect us again.
    is_wanted = is_seeder and status.num_peers == 0
    if arguments.peer and is_ready and (is_wanted or not is_connected):
        host, _, peer_port = arguments.peer.rpartition(':')
        handle.connect_peer((host, int(peer_port)))
        is_connected = True
    # "Finished" means that all pieces are checked and written.
    if not is_complete and status.state == states.seeding:
        print('complete', flush=True)
        is_complete = True
