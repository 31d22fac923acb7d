// The types of ut_pex, upload_only and ut_holepunch.
import { EventEmitter } from 'node:events'
import { expectAssignable, expectError, expectType } from 'tsd'
import pwp from '../..'

const wire = pwp()

// Peer exchange
const pex = wire.use(pwp.extensions.utPex())
expectType<pwp.UtPex>(pex)
expectAssignable<EventEmitter>(pex)
expectType<pwp.UtPex>(wire.use(pwp.extensions.utPex({ destroyOnFlood: false })))
expectError(pwp.extensions.utPex({ destroyOnFlood: 1 }))
expectType<void>(pex.start())
expectType<void>(pex.stop())
expectType<void>(pex.reset())
expectType<boolean>(pex.addPeer('10.0.0.1:6881'))
expectType<boolean>(pex.addPeer('10.0.0.1:6881', { isSender: true }))
expectType<boolean>(pex.addPeer({ address: '10.0.0.1', port: 6881 }, 0x02))
expectType<boolean>(pex.addPeer6('[::1]:6881', null))
expectError(pex.addPeer(6881))
expectError(pex.addPeer('10.0.0.1:6881', { isSeed: true }))
expectType<void>(pex.dropPeer('10.0.0.1:6881'))
expectType<void>(pex.dropPeer6({ address: '::1', port: 6881 }))
expectType<number>(pex.earlyMessages)
expectType<number>(pex.malformedMessages)
pex.on('peer', (address, flags, bits) => {
  expectType<string>(address)
  expectType<pwp.PexFlags>(flags)
  expectType<boolean>(flags.isReachable)
  expectType<number>(bits)
})
pex.once('dropped', (address) => expectType<string>(address))
pex.on('warning', (error) => expectType<Error>(error))
pex.on('malformed', (bytes) => expectType<Uint8Array>(bytes))
pex.on('own event', (anything) => expectType<any>(anything))
expectError(pex.on('peer', (address: number) => address))
class OwnPex extends pwp.extensions.utPex() {
  tell(address: string) {
    return this.addPeer(address)
  }
}
expectType<boolean>(wire.use(OwnPex).tell('10.0.0.1:6881'))

// Upload only
const uploadOnly = wire.use(pwp.extensions.uploadOnly())
expectType<pwp.UploadOnly>(uploadOnly)
expectType<void>(uploadOnly.set(true))
expectError(uploadOnly.set(1))
expectType<boolean>(uploadOnly.isUploadOnly)
expectType<boolean | null>(uploadOnly.peerIsUploadOnly)
expectError((uploadOnly.isUploadOnly = true))
uploadOnly.on('change', (isUploadOnly) => expectType<boolean>(isUploadOnly))
expectError(uploadOnly.on('change', (state: string) => state))

// Holepunch
const UtHolepunch = pwp.extensions.utHolepunch()
const holepunch = wire.use(UtHolepunch)
expectType<pwp.UtHolepunch>(holepunch)
expectType<boolean>(holepunch.isReady)
expectType<number>(holepunch.ignoredMessages)
expectType<void>(holepunch.rendezvous('10.0.0.1:6881'))
expectType<void>(holepunch.connect({ address: '::1', port: 1 }))
expectType<void>(holepunch.fail('10.0.0.1:6881', UtHolepunch.codes.notConnected))
expectError(holepunch.fail('10.0.0.1:6881'))
expectError(UtHolepunch.codes.unknown)
holepunch.on('rendezvous', (address) => expectType<string>(address))
holepunch.once('failed', (address, code) => expectType<[string, number]>([address, code]))
expectError(holepunch.on('connect', (address: number) => address))
