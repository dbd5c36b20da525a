/*
 * The version of lpm; that of the module ABI is in <lpm/module.h>.
 */
#ifndef BASE_VERSION_H
#define BASE_VERSION_H

#define LPM_VERSION "0.1.0"

#endif
