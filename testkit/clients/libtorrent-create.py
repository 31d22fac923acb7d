# Makes a torrent of version 2, or a hybrid one, with libtorrent.
import argparse
import os

import libtorrent as lt

parser = argparse.ArgumentParser()
parser.add_argument('source', help='file or folder')
parser.add_argument('torrent', help='path to write')
parser.add_argument('--piece-length', type=int, required=True, help='bytes')
parser.add_argument('--hybrid', action='store_true', help='of version 1 too')
arguments = parser.parse_args()

files = lt.file_storage()
lt.add_files(files, arguments.source)
flags = 0 if arguments.hybrid else lt.create_torrent.v2_only
torrent = lt.create_torrent(files, arguments.piece_length, flags)
lt.set_piece_hashes(torrent, os.path.dirname(os.path.abspath(arguments.source)))
with open(arguments.torrent, 'wb') as output:
    output.write(lt.bencode(torrent.generate()))
