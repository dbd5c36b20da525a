// The worker's side of scenario.js, on the npm package.
'use strict';
const worker = require('load-process-manager').worker;

worker.on('request', function (req) {
    const n = req.data.n;

    switch (req.data.what) {
    case 'echo':
        return req.respond({n: n});
    case 'ack':
        return req.ack();
    case 'later':
        return setTimeout(() => req.respond({n: n}), n % 7);
    case 'emit':
        return worker.emit('double', {n: n}, (answer) => req.respond({n: answer.n}));
    case 'slow':
        return setTimeout(() => req.respond({n: n}), 500);
    case 'pid':
        return req.respond({n: process.pid});
    case 'busy':
        worker.busy();
        setTimeout(() => worker.ready(), 300);
        return req.respond({n: process.pid});
    case 'die':
        return process.exit(3);
    case 'silent':
        return;
    }
});
worker.on('note', (data) => worker.emit('noted', {n: data.n}));
worker.ready();
