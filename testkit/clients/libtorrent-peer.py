# Seeds or downloads one torrent with libtorrent, on the loopback interface only.
# libtorrent-peer.py TORRENT FOLDER PORT [HOST:PORT of a peer] [--pex]
import signal
import sys

import libtorrent as lt

has_pex = '--pex' in sys.argv
torrent_path, folder, port, *peer = [word for word in sys.argv[1:] if word != '--pex']

signal.signal(signal.SIGTERM, lambda *_: sys.exit())

session = lt.session({
    'listen_interfaces': f'127.0.0.1:{port}',
    # All peers of the tests are on one machine.
    'allow_multiple_connections_per_ip': has_pex,
    'enable_dht': False,
    'enable_lsd': False,
    'enable_natpmp': False,
    'enable_upnp': False,
    'enable_incoming_utp': False,
    'enable_outgoing_utp': False,
    'in_enc_policy': int(lt.enc_policy.pe_disabled),
    'out_enc_policy': int(lt.enc_policy.pe_disabled),
    'alert_mask': lt.alert.category_t.error_notification | lt.alert.category_t.status_notification
    | lt.alert.category_t.connect_notification,
})
params = lt.add_torrent_params()
params.ti = lt.torrent_info(torrent_path)
params.save_path = folder
if not has_pex:
    params.flags |= lt.torrent_flags.disable_pex
params.flags &= ~(lt.torrent_flags.paused | lt.torrent_flags.auto_managed)
handle = session.add_torrent(params)

is_connected = False
is_complete = False
while True:
    session.wait_for_alert(1000)
    for alert in session.pop_alerts():
        print(alert.message(), flush=True)
    state = handle.status().state
    if peer and not is_connected and state == lt.torrent_status.downloading:
        host, _, peer_port = peer[0].rpartition(':')
        handle.connect_peer((host, int(peer_port)))
        is_connected = True
    # "Finished" means that all pieces are checked and written.
    if not is_complete and state == lt.torrent_status.seeding:
        print('complete', flush=True)
        is_complete = True
