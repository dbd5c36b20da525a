// Round trips of the npm package load-process-manager, as of tests/bench/parts/bus.sh: enqueue, a handler that answers with what
// it was sent, the answer. One worker.
//
//     NODE_PATH=FOLDER_WITH_THE_PACKAGE node npm.js MILLISECONDS
'use strict';
const manager = require('load-process-manager');

if (process.env.LPM_BENCH_WORKER) {
    manager.worker.on('request', (req) => req.respond(req.data));
    manager.worker.ready();
    return;
}
process.env.LPM_BENCH_WORKER = 'yes';

const supervisor = manager.supervisor({worker: {file: __filename, count: 1}});
const data = 'x'.repeat(64);
const milliseconds = Number(process.argv[2]);

function figure(outstanding, value, unit) {
    console.log(JSON.stringify({figure: `64 B, ${outstanding} outstanding`, who: 'npm package', value: value, unit: unit}));
}

// Calls then(round trips a second, their median in us).
function measure(outstanding, then) {
    const begin = process.hrtime.bigint(), end = begin + BigInt(milliseconds) * 1000000n, times = [];
    let left = outstanding, done = 0;

    function one() {
        const sent = process.hrtime.bigint();
        supervisor.enqueue(data, {}, function (r) {
            const now = process.hrtime.bigint();
            if (r instanceof Error) {
                throw r;
            }
            done++;
            times.push(Number(now - sent) / 1000);
            if (now < end) {
                one();
            } else if (--left === 0) {
                then(done * 1e9 / Number(now - begin), times.sort((a, b) => a - b)[times.length >> 1]);
            }
        }).then(null, () => undefined);
    }
    for (let i = 0; i < outstanding; i++) {
        one();
    }
}

// What it does when its code is compiled is what counts: the first figures are dropped.
supervisor.once('online', () => measure(64, () => measure(64, function (rate) {
    figure(64, rate, 'round trips/s');
    measure(1, function (rateOfOne, p50) {
        figure(1, rateOfOne, 'round trips/s');
        figure(1, p50, 'us, p50');
        supervisor.hardKill();
    });
})));
supervisor.start();
